import { pageSize, RpmemError } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import type { Keeping, Persisting, Pool, RemoteReplica } from '../pool/index.js'

/** Memory that an arena lies in, here or on a target. Offsets count from the first byte of the pool that is the user's. */
export interface Ground {
  readonly name: string
  /** Bytes. */
  readonly size: number
  read(offset: number, into: Uint8Array): void
  write(offset: number, source: Uint8Array): void
  move(to: number, from: number, length: number): void
  /** Durable where the ground lies when it returns. */
  persistSync(offset: number, length: number): void
  persist(offset: number, length: number): Promise<void>
}

/** A pool that was opened here. */
export const poolGround = (pool: Pool, name: string): Ground => ({
  name,
  size: pool.size,
  read: (offset, into) => pool.read(offset, into),
  write: (offset, source) => void pool.memcpyPersistSync(offset, source, { noFlush: true }),
  move: (to, from, length) => void pool.memmovePersistSync(to, from, length, { noFlush: true }),
  persistSync: (offset, length) => void pool.persistSync(offset, length),
  persist: async (offset, length) => void (await pool.persist(offset, length)),
})

/** A replica on a target, through memory here that holds what the target holds. */
export class RemoteGround implements Ground {
  readonly #replica: RemoteReplica
  readonly #memory: Memory

  /** @param memory of which the first page stands for the header of the pool */
  constructor(replica: RemoteReplica, memory: Memory) {
    this.#replica = replica
    this.#memory = memory
  }

  get name(): string {
    return this.#replica.name
  }

  get size(): number {
    return this.#memory.size - pageSize
  }

  read(offset: number, into: Uint8Array): void {
    this.#memory.read(pageSize + offset, into)
  }

  write(offset: number, source: Uint8Array): void {
    this.#memory.copyIn(pageSize + offset, source, { noFlush: true })
  }

  move(to: number, from: number, length: number): void {
    this.#memory.move(pageSize + to, pageSize + from, length, { noFlush: true })
  }

  persistSync(offset: number, length: number): void {
    let before: Persisting | undefined
    for (const piece of pieces(offset, length)) {
      const next = this.#start(piece)
      before?.finishSync()
      before = next
    }
    before?.finishSync()
  }

  async persist(offset: number, length: number): Promise<void> {
    let before: Promise<void> | undefined
    for (const piece of pieces(offset, length)) {
      const next = this.#start(piece).finish()
      // Whoever fails first is awaited first.
      next.catch(() => {})
      await before
      before = next
    }
    await before
  }

  /** Brings what the target holds here. */
  async fetch(offset: number, length: number): Promise<void> {
    for (const piece of pieces(offset, length)) {
      const bytes = new Uint8Array(piece.length)
      await this.#reading().read(pageSize + piece.offset, bytes)
      this.write(piece.offset, bytes)
    }
  }

  #reading(): Keeping {
    const { keeping, name } = this.#replica
    if (keeping) return keeping
    throw new RpmemError('ERR_REPLICA_STRANGER', `${name}: the target cannot be read from`, {
      facts: { replica: name },
    })
  }

  #start({ offset, length }: Piece): Persisting {
    return this.#replica.start(pageSize + offset, length, {})
  }
}

interface Piece {
  readonly offset: number
  readonly length: number
}

/** So small that each stays within its deadline on a slow wire; one is under way while the next is being prepared. */
function* pieces(offset: number, length: number): Generator<Piece> {
  for (let done = 0; done < length; done += pieceSize) {
    yield { offset: offset + done, length: Math.min(pieceSize, length - done) }
  }
}

const pieceSize = 4 * 1024 * 1024
