import { setImmediate as nextTurn } from 'node:timers/promises'
import type { PoolStore, StoredPool } from './target-node.js'

/**
 * The pools of this node, by modules that are loaded only when the initiator has been greeted: while it reads the greeting there
 * is time, and before it every millisecond counts.
 */
export class LatePoolStore implements PoolStore {
  readonly #store: Promise<PoolStore>

  constructor(greeted: Promise<unknown>, load: () => Promise<PoolStore>) {
    this.#store = greeted.then(() => nextTurn()).then(load)
    // Whoever asks for a pool hears it.
    this.#store.catch(() => {})
  }

  async create(...request: Parameters<PoolStore['create']>): Promise<StoredPool> {
    return (await this.#store).create(...request)
  }

  async open(...request: Parameters<PoolStore['open']>): Promise<StoredPool> {
    return (await this.#store).open(...request)
  }
}
