import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process, so that another one can tell later whether it still runs; a number alone is given away again. */
export interface ProcessIdentity {
  readonly host: string
  /** Changes with each boot of the machine. */
  readonly boot: string
  /** In which process numbers count: a container has its own. */
  readonly pidNamespace: string
  readonly pid: number
  /** In clock ticks since boot. */
  readonly startTicks: number
}

export const ownIdentity = (): ProcessIdentity => ({ ...here(), pid: process.pid, startTicks: startOf('self') ?? 0 })

/** Undefined: it cannot be seen from here, since it ran on another machine or in another container. Source: proc(5). */
export function isRunning(of: ProcessIdentity): boolean | undefined {
  const { host, boot, pidNamespace } = here()
  if (of.host !== host) return undefined
  if (of.boot !== boot) return false
  if (of.pidNamespace !== pidNamespace) return undefined
  return startOf(of.pid) === of.startTicks
}

function here(): Pick<ProcessIdentity, 'host' | 'boot' | 'pidNamespace'> {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return { host: hostname(), boot, pidNamespace: readlinkSync('/proc/self/ns/pid') }
}

/** Undefined for a process that is not there, or has ended and is not yet reaped. */
function startOf(process: number | 'self'): number | undefined {
  try {
    // The name in brackets may hold anything, brackets and blanks included.
    const [state, ...fields] = readFileSync(`/proc/${process}/stat`, 'latin1').split(/.*\) /s)[1]?.split(' ') ?? []
    return state === 'Z' || state === 'X' ? undefined : Number(fields[18])
  } catch {
    return undefined
  }
}
