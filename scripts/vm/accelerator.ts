import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Kernel, labFolder } from './kernel.js'

export type Accelerator = 'kvm' | 'tcg'

export const emulator = 'qemu-system-x86_64'
const note = join(labFolder, 'accelerator')
/** A guest under KVM says that it lives within two seconds. */
const probeMs = 6000

export const acceleratorArguments: Readonly<Record<Accelerator, readonly string[]>> = {
  kvm: ['-accel', 'kvm', '-cpu', 'host'],
  tcg: ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
}

/**
 * KVM if a guest gets as far as its initrd under it, else emulation: /dev/kvm may exist and still not work. The answer is
 * kept in .lab/accelerator, until that is removed.
 */
export function findAccelerator(kernel: Kernel, initrd: string): Accelerator {
  if (existsSync(note)) return readFileSync(note, 'utf8').trim() === 'kvm' ? 'kvm' : 'tcg'
  const found = mayUseKvm() && livesUnderKvm(kernel, initrd) ? 'kvm' : 'tcg'
  writeFileSync(note, `${found}\n`)
  return found
}

function mayUseKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function livesUnderKvm(kernel: Kernel, initrd: string): boolean {
  const machine = ['-machine', 'q35', '-m', '512', '-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio']
  const boot = ['-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=1 lab.probe']
  const options = { encoding: 'utf8', timeout: probeMs, killSignal: 'SIGKILL', input: '' } as const
  return spawnSync(emulator, [...acceleratorArguments.kvm, ...machine, ...boot], options).stdout.includes('lab: alive')
}
