/** The two files of an arena. */
export type FileName = 'data' | 'log'

/**
 * What a storage was asked to do, in the order in which it could begin to act. A sync counts from the moment at which it has ended,
 * and covers what had begun before it began.
 */
export type JournalEvent =
  | { readonly kind: 'write'; readonly file: FileName; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'size'; readonly file: FileName; readonly size: number }
  | { readonly kind: 'sync'; readonly file: FileName; readonly covers: number }
  /** A call failed before it did anything. */
  | { readonly kind: 'failed' }
  /** The program has declared that many checkpoints in all. */
  | { readonly kind: 'declared'; readonly sequence: number }
  /** No crash from here on may bring back one before this. */
  | { readonly kind: 'promised'; readonly sequence: number }

export class Journal {
  readonly events: JournalEvent[] = []

  add(event: JournalEvent): void {
    this.events.push(event)
  }
}
