import { deserialize, serialize } from 'node:v8'
import { assert } from '../core/index.js'

/** What threads do with a persist: nothing reaches the replica; it gets it and does not count yet; it counts. */
export const phases = { away: 0, syncing: 1, synced: 2 } as const
export type Phase = (typeof phases)[keyof typeof phases]

const word = { phase: 0, connection: 1, length: 2, count: 3 } as const
/** Facts of a connection with its reasons for a transport take some hundreds of bytes. */
const roomForConnection = 16 * 1024

/** What the thread that keeps a replica tells all others of it: whether it counts, and over which connection it is reached. */
export class ReplicaBoard {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #bytes: Uint8Array

  constructor(buffer = new SharedArrayBuffer(4 * word.count + roomForConnection)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer, 0, word.count)
    this.#bytes = new Uint8Array(buffer, 4 * word.count)
  }

  get phase(): Phase {
    return Atomics.load(this.#words, word.phase) as Phase
  }

  set phase(phase: Phase) {
    Atomics.store(this.#words, word.phase, phase)
  }

  /** Counts the connections that were told; 0: none yet. */
  get connection(): number {
    return Atomics.load(this.#words, word.connection)
  }

  /** Under the lock of the pool. `token`: what RemoteReplica.share gave. */
  tell(token: unknown): void {
    const bytes = serialize(token)
    assert(bytes.length <= roomForConnection, 'a connection is told in few words')
    this.#bytes.set(bytes)
    this.#words[word.length] = bytes.length
    Atomics.add(this.#words, word.connection, 1)
  }

  /** Under the lock of the pool. */
  read(): unknown {
    return deserialize(Buffer.from(this.#bytes.subarray(0, this.#words[word.length])))
  }
}
