import type { LanesToken, MemoryToken } from '../../fabric-native/index.js'

/** What a thread that shares lanes is to do, and where. */
export interface Errand {
  readonly lanes: LanesToken
  readonly memory: MemoryToken
  readonly name: string
  /** The range of the pool that belongs to the thread. */
  readonly offset: number
  readonly length: number
}

export const piece = 512
export const lastRound = 4

/** The byte that fills a piece, by its offset in the pool. */
export const byteOf = (at: number, round: number): number => (7 * Math.floor(at / piece) + round) & 0xff
