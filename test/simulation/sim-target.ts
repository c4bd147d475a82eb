import { descend, hasCode, type ReplicaRecord, RpmemError } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import { admit, blockSums, type RemoteReplica, type RemoteRequest } from '../../pool/index.js'
import type { Dice } from './dice.js'
import type { SimClock } from './sim-clock.js'
import { SimLink } from './sim-link.js'
import { afterPowerFailure, afterProcess, SimRecord } from './sim-storage.js'

/** Ways to build a target wrongly, which the checkers must find. */
export type TargetFlaw = 'answers before it is durable' | 'forgets the fence'

/** A node with a copy of the pool and a daemon for one initiator at a time. */
export class SimTarget {
  readonly name: string
  readonly record = new SimRecord()
  memory: BufferMemory
  /** The wire to it. Messages that cannot travel wait, as in a TCP connection. */
  readonly wire = { toTarget: true, toInitiator: true, slowMs: 0 }
  paused = false
  /** The next range that is made durable is refused by the disk. */
  diskFails = false
  /** How often its copy was thrown away from outside, of which nobody is told. */
  wipes = 0
  readonly clock: SimClock
  readonly dice: Dice
  readonly #flaw: TargetFlaw | undefined
  /** The session that holds the lock. */
  #session: SimLink | undefined
  readonly #held: (() => void)[] = []

  constructor(name: string, size: number, clock: SimClock, dice: Dice, flaw?: TargetFlaw) {
    this.name = name
    this.clock = clock
    this.dice = dice
    this.memory = new BufferMemory(size, { method: 'msync' })
    this.#flaw = flaw
  }

  get serves(): boolean {
    return this.#session !== undefined
  }

  /** An attempt to connect and open; refused as the real daemon would. */
  async connect(request: RemoteRequest, lives: () => boolean): Promise<RemoteReplica> {
    const link = new SimLink(this, request.memory, lives)
    const abort = () => void link.close()
    request.signal?.addEventListener('abort', abort)
    await link
      .ask(() => this.#open(link, request.claim), 3000)
      .finally(() => {
        request.signal?.removeEventListener('abort', abort)
      })
    return link
  }

  #open(link: SimLink, claim: ReplicaRecord | undefined): void {
    if (this.#session && this.#session !== link) throw new RpmemError('ERR_POOL_BUSY', `${this.name} is in use`)
    const record = this.#flaw === 'forgets the fence' ? undefined : this.record.read()
    if (record && claim) admit(this.name, claim, record)
    link.opened = true
    link.record = record
    this.#session = link
    // Whoever asked may have given up long ago; then the channel ends at once.
    if (link.failure) this.clock.at(1, 'world', () => this.release(link))
  }

  /** What a lane brings: the bytes are stored, made durable, answered. */
  persist(offset: number, bytes: Uint8Array): void {
    if (this.#flaw === 'answers before it is durable') {
      this.memory.copyIn(offset, bytes, { noFlush: true })
      this.clock.at(5, 'world', () => !this.memory.closed && this.memory.persist(offset, bytes.length))
      return
    }
    if (this.diskFails) {
      this.diskFails = false
      this.memory.refuseNext()
    }
    this.memory.copyIn(offset, bytes)
  }

  sums(offset: number, length: number, blockSize: number): Uint8Array {
    return blockSums(this.memory, offset, length, blockSize)
  }

  /** Runs now, or when the node goes on; nothing is done for a session that has ended. */
  act(session: SimLink, work: () => void): void {
    if (this.paused) this.#held.push(() => this.act(session, work))
    else if (this.#session === session || !session.opened) work()
  }

  release(session: SimLink): void {
    if (this.#session === session) this.#session = undefined
  }

  /** The daemon ends a session of which it hears nothing. */
  abandon(session: SimLink): void {
    if (this.#session !== session) return
    this.#session = undefined
    session.broken()
  }

  /** SIGKILL of the daemon: the page cache keeps what was stored. A poisoned mapping is mapped anew. */
  kill(): void {
    this.#end()
    this.memory = afterProcess(new BufferMemoryOf(this.memory).memory)
  }

  /** The node loses its power and comes back. */
  powerFailure(): void {
    this.#end()
    this.memory = afterPowerFailure(new BufferMemoryOf(this.memory).memory, this.dice)
  }

  /** Somebody makes the disk anew: an empty copy without a record, as of a new pool set. */
  wipe(): void {
    this.#end()
    this.wipes++
    this.memory = new BufferMemory(this.memory.size, { method: 'msync' })
    this.record.remove()
  }

  /** The operator makes this copy the one that is written. */
  promote(): boolean {
    this.#end()
    const record = this.record.read()
    if (!record || record.syncing) return false
    this.record.full = false
    const id = Buffer.from(this.dice.bytes(16)).toString('hex')
    const begun = { id, since: '2026-01-01T00:00:00.000Z', writer: `${this.name} 1`, why: 'promoted' as const }
    this.record.write({ ...record, lineage: descend(record.lineage, begun) })
    return true
  }

  /** A full disk takes no record. */
  turnFull(): void {
    this.record.full = !this.record.full
  }

  turnWire(way: 'toTarget' | 'toInitiator'): void {
    this.wire[way] = !this.wire[way]
  }

  slow(byMs: number): void {
    this.wire.slowMs = byMs
  }

  spoilDisk(): void {
    this.diskFails = true
  }

  stop(): void {
    this.paused = true
  }

  go(): void {
    this.paused = false
    for (const work of this.#held.splice(0)) work()
  }

  #end(): void {
    const session = this.#session
    this.#session = undefined
    this.#held.length = 0
    this.paused = false
    session?.broken()
  }
}

/** A memory that has failed can still be looked at. */
class BufferMemoryOf {
  readonly memory: BufferMemory

  constructor(memory: BufferMemory) {
    this.memory = memory.failure ? rescued(memory) : memory
  }
}

function rescued(memory: BufferMemory): BufferMemory {
  const copy = new BufferMemory(memory.size, { method: memory.method })
  copy.copyIn(0, memory.afterPowerFailure())
  return copy
}

export const isRefusal = (error: unknown): boolean =>
  hasCode(error, 'ERR_REPLICA_AHEAD', 'ERR_REPLICA_DIVERGED', 'ERR_REPLICA_STRANGER')
