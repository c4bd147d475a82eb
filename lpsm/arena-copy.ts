import { pageSize } from '../core/index.js'
import type { ArenaFile } from './arena-file.js'
import { ArenaLog, type Draft } from './arena-log.js'
import type { ArenaReading } from './arena-reading.js'
import type { CheckpointChanges } from './checkpoint-sink.js'
import { zeroSum } from './checksum.js'
import type { DataHeader } from './data-header.js'
import { foldPages, moveBase } from './fold.js'
import type { LogRecord } from './log-reading.js'
import type { Work } from './operation.js'

/** An arena without memory: its files take checkpoints that were taken elsewhere, and are at one of them at all times. */
export class ArenaCopy {
  readonly #data: ArenaFile
  readonly #logFile: ArenaFile
  readonly #log: ArenaLog
  #header: DataHeader
  #base: LogRecord
  #checkpoints: LogRecord[]
  #sums: Uint32Array

  /** @param growth bytes by which the log grows at least */
  constructor(data: ArenaFile, logFile: ArenaFile, reading: ArenaReading, growth: number) {
    this.#data = data
    this.#logFile = logFile
    this.#log = new ArenaLog(logFile, reading.log, growth)
    this.#header = reading.data
    this.#base = reading.base
    this.#checkpoints = [...reading.checkpoints]
    this.#sums = Uint32Array.from(reading.base.sums)
    for (const record of reading.checkpoints) this.#take(record)
  }

  /** Of the newest checkpoint. */
  get sequence(): number {
    return (this.#checkpoints.at(-1) ?? this.#base).sequence
  }

  /** CRC-32C of each page at the newest checkpoint. */
  get sums(): Uint32Array {
    return this.#sums
  }

  /** To be done before the first append, as in ArenaLog. */
  reopen(): Work {
    return this.#log.reopen()
  }

  /** The newest checkpoint from here on. @throws ERR_DISK_FULL: it is one of a larger arena, and nothing has happened */
  *append(changes: CheckpointChanges): Work {
    yield* this.commit(yield* this.prepare(changes))
  }

  /** Brings the images, which do not count yet. @throws as `append` */
  *prepare(changes: CheckpointChanges): Work<Draft> {
    const draft = yield* this.#log.draft({ ...changes, kind: 'checkpoint' })
    yield this.#log.writeImages(draft, [changes.images])
    return draft
  }

  /** What was prepared last is the newest checkpoint when it has ended. */
  *commit(draft: Draft): Work {
    yield this.#log.writeHead(draft)
    this.#log.accept(draft)
    this.#checkpoints.push(draft.record)
    this.#take(draft.record)
  }

  /** Brings everything into the data file, if the log has become so large that another record of all pages might not fit. */
  *foldIfLarge(): Work {
    const size = this.#sums.length * pageSize
    if (this.#checkpoints.length === 0 || this.#log.bytes <= size / 2) return
    const { base } = yield* foldPages(
      {
        data: this.#data,
        log: this.#logFile,
        header: this.#header,
        base: this.#base,
        checkpoints: this.#checkpoints,
      },
      header => {
        this.#header = header
      },
    )
    if (base === undefined) return
    this.#base = yield* moveBase(this.#log, base)
    this.#checkpoints = []
  }

  /** Says that no record follows. */
  close(): Work {
    return this.#log.close()
  }

  #take({ size, pages, sums }: LogRecord): void {
    if (size / pageSize > this.#sums.length) {
      const grown = new Uint32Array(size / pageSize).fill(zeroSum())
      grown.set(this.#sums)
      this.#sums = grown
    }
    for (const [index, page] of pages.entries()) this.#sums[page] = sums[index] as number
  }
}
