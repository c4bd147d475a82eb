import type { Operation } from './operation.js'

/** One checkpoint as it leaves the arena: what has changed since the one before it. */
export interface CheckpointChanges {
  /** One more than that of the checkpoint before. */
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly timeMs: number
  /** Bytes of the arena, not fewer than before; what is new and not among the pages is zeros. */
  readonly size: number
  /** Ascending; page 0 begins at offset 0 of the arena. */
  readonly pages: Uint32Array
  /** CRC-32C of each image. */
  readonly sums: Uint32Array
  /** 4096 bytes of each page, in the same order. Good until the operation has ended: other images then take their place. */
  readonly images: Uint8Array
}

/** Where else checkpoints are made durable. */
export interface CheckpointSink {
  readonly name: string
  /** Whether a checkpoint that is not durable there has failed, though it is durable here (durability `local`). */
  readonly required: boolean
  /** Why it takes no part at the moment; undefined if it does. */
  readonly absence: Error | undefined
  /**
   * Brings the checkpoint there, so that it does not count yet; called in the order of the sequences, each when the one before has
   * ended, and not while it is absent.
   */
  prepare(changes: CheckpointChanges): Operation
  /**
   * What was prepared last is durable there when it has ended, and is the newest checkpoint. Called when it is durable here, so that no
   * copy is ever ahead of the arena.
   */
  commit(): Operation
}
