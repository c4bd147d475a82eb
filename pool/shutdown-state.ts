import { RpmemError, reserved, struct, u8, u64le, type ValueOf } from '../core/index.js'
import { fletcher64 } from './fletcher.js'

const size = 64

/** Reference pool-format 1.5; in the header of part 0 only, all zero unless the pool has the feature. */
export const shutdownStateLayout = struct('shutdown state', size, {
  unsafeShutdowns: u64le,
  devices: u64le,
  dirty: u8,
  reserved: reserved(39),
  checksum: u64le,
})
export type ShutdownState = ValueOf<typeof shutdownStateLayout>

const checksumAt = shutdownStateLayout.offsets.checksum ?? 0

/** The state that open writes (dirty 1) and close takes back (dirty 0); a clean one without known devices is all zero. */
export function shutdownState(dirty: boolean, devices: DeviceState = unknownDevices): ShutdownState {
  const state = { ...devices, dirty: dirty ? 1 : 0, checksum: 0n }
  return { ...state, checksum: checksumOf(state) }
}

/** Sums over the parts of a replica: unsafe-shutdown counts and checksums of the device ids. */
export interface DeviceState {
  readonly unsafeShutdowns: bigint
  readonly devices: bigint
}

/**
 * The sums over the parts: counts as they are, names padded by 1 to 4 zero bytes to whole words and checksummed, both modulo
 * 2^64. Source: reference pool-format 1.5.
 */
export function deviceState(parts: readonly { readonly count: bigint; readonly device: string }[]): DeviceState {
  const sum = (values: readonly bigint[]) =>
    BigInt.asUintN(
      64,
      values.reduce((total, value) => total + value, 0n),
    )
  return {
    unsafeShutdowns: sum(parts.map(({ count }) => count)),
    devices: sum(parts.map(({ device }) => checksumOfName(device))),
  }
}

function checksumOfName(device: string): bigint {
  const name = Buffer.from(device)
  // PMDK counts the NUL behind a name, and then pads to the next whole word in any case.
  const length = name.length === 0 ? 0 : name.length + 1
  const padded = new Uint8Array(length + 4 - (length % 4))
  padded.set(name)
  return fletcher64(padded, padded.length, padded.length)
}

/** Without libndctl the kernel's counters cannot be read; PMDK then stores zeros. */
export const unknownDevices: DeviceState = { unsafeShutdowns: 0n, devices: 0n }

/**
 * ERR_SHUTDOWN_STATE only if the pool was open (dirty) on devices whose counts have moved since: they lost power without
 * flushing their buffers. Everything else, a damaged state included, is initialised anew by the caller.
 */
export function checkShutdownState(stored: ShutdownState, part: string, current: DeviceState = unknownDevices): void {
  if (stored.checksum !== checksumOf(stored) || stored.dirty === 0) return
  if (stored.unsafeShutdowns === current.unsafeShutdowns && stored.devices === current.devices) return
  throw new RpmemError('ERR_SHUTDOWN_STATE', `${part} was open when its device was shut down unsafely`, {
    facts: { part, unsafeShutdownsStored: stored.unsafeShutdowns, unsafeShutdownsNow: current.unsafeShutdowns },
  })
}

const checksumOf = (state: ShutdownState): bigint => fletcher64(shutdownStateLayout.encode(state), size, checksumAt)
