/** A checkpoint that can be opened. */
export interface Checkpoint {
  /** Counts from 1; 0 is the arena of zeros as it was created. */
  readonly sequence: number
  /** Milliseconds since the epoch, by the clock of the machine. */
  readonly timeMs: number
  /** Bytes of the arena. */
  readonly size: number
  /** How many pages changed; undefined for one that is in the data file. */
  readonly pages: number | undefined
}

/** What has become of a checkpoint. */
export interface CheckpointReceipt {
  /** If nothing had changed, that of the checkpoint before. */
  readonly sequence: number
  /** Pages that were written. */
  readonly pages: number
  /** The copies on which it is durable: `local`, and the names of replicas. */
  readonly durableOn: readonly string[]
}

/** A checkpoint that is under way. */
export interface CheckpointUnderWay {
  readonly sequence: number
  readonly pages: number
  /** Resolves when it is durable; rejects as `checkpoint` does. The arena tells of a failure at the next checkpoint too. */
  readonly durable: Promise<CheckpointReceipt>
}
