import { pageSize, RpmemError } from '../core/index.js'

export interface RemoteBoundsOptions {
  /** Of the pool, for errors. */
  readonly name: string
  readonly size: number
  readonly laneCount: number
  /** The header page belongs to the target. */
  readonly hasHeaders: boolean
}

/** What a call on a remote pool may name: the checks of rpmem_persist(3) and its kin, before anything is sent. */
export class RemoteBounds {
  readonly #name: string
  readonly #size: number
  readonly #laneCount: number
  readonly #firstWritable: number

  constructor({ name, size, laneCount, hasHeaders }: RemoteBoundsOptions) {
    this.#name = name
    this.#size = size
    this.#laneCount = laneCount
    this.#firstWritable = hasHeaders ? pageSize : 0
  }

  /** ERR_LANE_RANGE. */
  checkLane(lane: number | undefined): void {
    if (lane === undefined || (Number.isInteger(lane) && lane >= 0 && lane < this.#laneCount)) return
    throw new RpmemError('ERR_LANE_RANGE', `there is no lane ${lane}`, { facts: { lane, laneCount: this.#laneCount } })
  }

  /** ERR_RANGE; as in librpmem an empty range has to begin inside the pool too. */
  checkReadable(offset: number, length: number): void {
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length)
    if (whole && offset >= 0 && length >= 0 && offset < this.#size && length <= this.#size - offset) return
    const size = this.#size
    throw new RpmemError('ERR_RANGE', `${length} bytes at ${offset} lie outside the ${size} bytes of ${this.#name}`, {
      facts: { offset, length, size },
    })
  }

  /** ERR_RANGE, ERR_HEADER_PROTECTED. */
  checkWritable(offset: number, length: number): void {
    this.checkReadable(offset, length)
    if (offset >= this.#firstWritable) return
    throw new RpmemError('ERR_HEADER_PROTECTED', `${length} bytes at ${offset} touch the header page`, {
      facts: { offset, length, first: this.#firstWritable },
    })
  }
}
