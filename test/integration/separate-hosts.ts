import { execFileSync } from 'node:child_process'
import type { Test } from 'tap'

const ip = (...words: readonly string[]) => execFileSync('ip', words, { stdio: 'pipe', timeout: 10_000 })

/** True where network namespaces can be made, which takes root. */
export function networksAreAllowed(): boolean {
  return can(name => ip('netns', 'add', name))
}

/** True where the kernel can delay and lose packets. */
export function networksCanBeBad(): boolean {
  return can(name => {
    ip('netns', 'add', name)
    ip('netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms')
  })
}

function can(act: (name: string) => void): boolean {
  const name = `rpmem-try-${process.pid}`
  try {
    act(name)
    return true
  } catch {
    return false
  } finally {
    try {
      ip('netns', 'delete', name)
    } catch {
      // It was not even made.
    }
  }
}

export interface Network {
  /** The only version of the Internet Protocol that the hosts have addresses of. Default 4. */
  readonly family?: 4 | 6
  /** Bytes; default the 1500 of Ethernet. */
  readonly mtu?: number
  /** As netem(8) takes them, for both directions. */
  readonly badness?: readonly string[]
}

/** A host on which a target can be started: its address, and what goes before a command so that it runs there. */
export interface RemoteHost {
  readonly address: string
  readonly on: readonly string[]
  /** From now on nothing arrives, and nobody is told. */
  cut(): void
  mend(): void
  /** Nothing that this end sends arrives any more, and nobody is told; what the other end sends does. */
  drop(end: 'target' | 'initiator'): void
  /** Both ends are heard again. */
  hear(): void
}

/**
 * An initiator and some targets, each in a network namespace of its own, with a cable from each target to the initiator. All are
 * gone after the test. The network of the machine is not touched.
 */
export class SeparateHosts {
  readonly targets: readonly RemoteHost[]
  readonly #initiator = `rpmem-i-${process.pid}`

  constructor(t: Test, targets = 1, network: Network = {}) {
    this.#host(t, this.#initiator)
    this.targets = Array.from({ length: targets }, (_, number) => this.#connect(t, number, network))
  }

  get onInitiator(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#initiator]
  }

  #host(t: Test, name: string): void {
    ip('netns', 'add', name)
    t.teardown(() => ip('netns', 'delete', name))
    ip('-n', name, 'link', 'set', 'lo', 'up')
  }

  #connect(t: Test, number: number, network: Network): RemoteHost {
    const target = `rpmem-t${number}-${process.pid}`
    const cable = `cable${number}`
    this.#host(t, target)
    ip('-n', this.#initiator, 'link', 'add', cable, 'type', 'veth', 'peer', 'name', cable, 'netns', target)
    const [near, far, bits] =
      network.family === 6
        ? [`fd00:${number}::2`, `fd00:${number}::1`, 64]
        : [`10.213.${77 + number}.2`, `10.213.${77 + number}.1`, 30]
    setUp(this.#initiator, cable, `${near}/${bits}`, network)
    setUp(target, cable, `${far}/${bits}`, network)
    const whole = network.family === 6 ? 128 : 32
    const ends = {
      initiator: { host: this.#initiator, other: `${far}/${whole}` },
      target: { host: target, other: `${near}/${whole}` },
    }
    const turn = (state: 'up' | 'down') => ip('-n', target, 'link', 'set', cable, state)
    return {
      address: far,
      on: ['ip', 'netns', 'exec', target],
      cut: () => turn('down'),
      mend: () => turn('up'),
      drop: end => ip('-n', ends[end].host, 'route', 'replace', 'blackhole', ends[end].other),
      hear: () => {
        for (const { host, other } of Object.values(ends)) {
          const has = ip('-n', host, 'route', 'show', 'type', 'blackhole', other).toString().trim() !== ''
          if (has) ip('-n', host, 'route', 'delete', 'blackhole', other)
        }
      },
    }
  }
}

function setUp(host: string, device: string, address: string, { family = 4, mtu, badness }: Network): void {
  const exec = (...words: readonly string[]) => ip('netns', 'exec', host, ...words)
  if (mtu !== undefined) ip('-n', host, 'link', 'set', device, 'mtu', `${mtu}`)
  // An address of IPv6 that is still being looked for at its neighbours cannot be listened on, and one goes with its link.
  if (family === 6) exec('sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/${device}/keep_addr_on_down`)
  ip('-n', host, 'address', 'add', address, 'dev', device, ...(family === 6 ? ['nodad'] : []))
  if (badness !== undefined) exec('tc', 'qdisc', 'add', 'dev', device, 'root', 'netem', ...badness)
  ip('-n', host, 'link', 'set', device, 'up')
}
