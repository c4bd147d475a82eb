import { endianness } from 'node:os'
import { RpmemError, struct, u8, u16le, u32le, u64le } from '../core/index.js'

const layout = struct('arch flags', 16, {
  alignment: u64le,
  machineClass: u8,
  encoding: u8,
  reserved: u32le,
  machine: u16le,
})

/** ELF machine numbers; the pool format knows no other machines. */
const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183, ppc64: 21, riscv64: 243 }

/**
 * Four bits per type, (alignment - 1) & 15, lowest nibble first: char, short, int, long, long long, size_t, off_t, float,
 * double, long double, pointer. The same on every 64-bit Linux that `machines` names.
 */
const alignmentOf64BitTypes = 0x7f737777310n

/** What this machine writes into the header of a pool that it creates; a pool of another kind of machine is not opened. */
export function ownArchFlags(): Uint8Array {
  const machine = machines[process.arch]
  if (machine === undefined) {
    throw new RpmemError('ERR_ARGUMENT', `the pool format has no machine number for ${process.arch}`, {
      facts: { arch: process.arch },
      hint: 'Pools can be made on x64, arm64, ppc64 and riscv64.',
    })
  }
  const encoding = endianness() === 'LE' ? 1 : 2
  return layout.encode({ alignment: alignmentOf64BitTypes, machineClass: 2, encoding, reserved: 0, machine })
}
