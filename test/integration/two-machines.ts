import { execFileSync } from 'node:child_process'
import type { Test } from 'tap'

const ip = (...words: readonly string[]) => execFileSync('ip', words, { stdio: 'pipe', timeout: 10_000 })

/** True where network namespaces can be made, which takes root. */
export function networksAreAllowed(): boolean {
  const name = `rpmem-try-${process.pid}`
  try {
    ip('netns', 'add', name)
    ip('netns', 'delete', name)
    return true
  } catch {
    return false
  }
}

/** Two network namespaces with a cable between them, gone after the test. The network of the machine is not touched. */
export class TwoMachines {
  readonly targetAddress = '10.213.77.1'
  readonly #initiator = `rpmem-i-${process.pid}`
  readonly #target = `rpmem-t-${process.pid}`

  constructor(t: Test) {
    for (const name of [this.#initiator, this.#target]) {
      ip('netns', 'add', name)
      t.teardown(() => ip('netns', 'delete', name))
    }
    ip('-n', this.#initiator, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', this.#target)
    ip('-n', this.#initiator, 'address', 'add', '10.213.77.2/30', 'dev', 'cable')
    ip('-n', this.#target, 'address', 'add', `${this.targetAddress}/30`, 'dev', 'cable')
    for (const name of [this.#initiator, this.#target]) {
      ip('-n', name, 'link', 'set', 'lo', 'up')
      ip('-n', name, 'link', 'set', 'cable', 'up')
    }
  }

  /** What goes before a command so that it runs on that machine. */
  get onInitiator(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#initiator]
  }

  get onTarget(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#target]
  }

  /** From now on nothing arrives, and nobody is told. */
  cut(): void {
    ip('-n', this.#target, 'link', 'set', 'cable', 'down')
  }

  mend(): void {
    ip('-n', this.#target, 'link', 'set', 'cable', 'up')
  }
}
