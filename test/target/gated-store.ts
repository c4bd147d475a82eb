import type { PoolStore, StoredPool, TargetNode } from '../../target/target-node.js'

/** A store that takes as long as the test wants. */
export class GatedStore implements PoolStore {
  readonly #store: PoolStore
  readonly #begun = deferred()
  readonly #gate = deferred()
  readonly #slow: 'create' | 'close'

  constructor({ store }: TargetNode, slow: 'create' | 'close') {
    this.#store = store
    this.#slow = slow
  }

  /** Resolves when the slow step was begun. */
  get begun(): Promise<void> {
    return this.#begun.promise
  }

  /** Lets the slow step go on. */
  release(): void {
    this.#gate.resolve()
  }

  async create(...request: Parameters<PoolStore['create']>): Promise<StoredPool> {
    await this.#pass('create')
    return this.#gated(await this.#store.create(...request))
  }

  async open(...request: Parameters<PoolStore['open']>): Promise<StoredPool> {
    await this.#pass('create')
    return this.#gated(await this.#store.open(...request))
  }

  #gated(pool: StoredPool): StoredPool {
    const close = (how: () => Promise<void>) => this.#pass('close').then(how)
    return new Proxy(pool, {
      get: (target, name) => {
        if (name === 'close') return () => close(() => target.close())
        if (name === 'remove') return () => close(() => target.remove())
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  async #pass(step: 'create' | 'close'): Promise<void> {
    if (step !== this.#slow) return
    this.#begun.resolve()
    await this.#gate.promise
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
