import type { ArenaMemory, Tracking } from '../fabric-native/index.js'
import type { ArenaFile } from './arena-file.js'

export interface MemoryShape {
  /** Bytes of content, a multiple of 4096. */
  readonly size: number
  readonly reservation: number
  readonly tracking: Tracking | undefined
}

/** The world of an arena besides its files. */
export interface ArenaPorts {
  /** A private image of the content of a data file. */
  map(file: ArenaFile, shape: MemoryShape): ArenaMemory
  /** Milliseconds since the epoch. */
  now(): number
  /** 64 random bits for a new life of a log. */
  randomLog(): bigint
  /** Bytes by which a log grows at least. */
  readonly logGrowth: number
}
