import { assert } from '../core/index.js'
import { arenaForeign } from './arena-error.js'
import { formatVersion } from './data-header.js'
import type { Ground } from './ground.js'
import { immediate, type Operation } from './operation.js'
import { RegionFile, type RegionUse } from './region-file.js'
import {
  brokenPlaceRule,
  capacitiesFor,
  dataRegionAt,
  logRegionAt,
  placeFlags,
  type ReplicaPlace,
  replicaMagic,
  replicaPlaceLayout,
} from './replica-place.js'
import { encodeSlot, readSlots, slotAt, slotsSize } from './slots.js'

/** The two files of an arena, as regions of a pool. */
export interface RegionFiles {
  readonly data: RegionFile
  readonly log: RegionFile
}

/** The header of an arena in a pool, and with it how much of the log's region is in use. */
export class PlaceHeader implements RegionUse {
  readonly #file: RegionFile
  #place: ReplicaPlace
  #written: boolean

  private constructor(ground: Ground, place: ReplicaPlace, written: boolean) {
    this.#file = headerFile(ground)
    this.#place = place
    this.#written = written
  }

  /**
   * Undefined if nothing was ever written there. Its end may lie behind the ground.
   * @throws ERR_ARENA_FOREIGN: the pool holds something else, or its header cannot be read
   */
  static read(ground: Ground): PlaceHeader | undefined {
    const file = headerFile(ground)
    const slots = readSlots(file, replicaPlaceLayout, brokenPlaceRule)
    const slot = slots.find(slot => 'value' in slot)
    if (slot && 'value' in slot) return new PlaceHeader(ground, slot.value, true)
    const found = new Uint8Array(slotsSize)
    file.read(0, found)
    if (found.every(byte => byte === 0)) return undefined
    throw arenaForeign(ground.name, 'a pool with an arena')
  }

  /** For an arena that is about to be brought there; nothing is written yet. @param size bytes that it can grow to */
  static prepare(ground: Ground, arena: Uint8Array, size: number): PlaceHeader {
    const fields = { magic: replicaMagic, version: formatVersion, flags: 0, arena, change: 0, logSize: 0 }
    const place = { ...fields, ...capacitiesFor(size), unused: undefined }
    const header = new PlaceHeader(ground, place, false)
    assert(header.end <= ground.size, 'the pool was made for this arena')
    return header
  }

  get arena(): Uint8Array {
    return this.#place.arena
  }

  get takenOver(): boolean {
    return (this.#place.flags & placeFlags.takenOver) !== 0
  }

  get size(): number {
    return this.#place.logSize
  }

  /** Where the log begins, and where everything ends, which may be behind the ground. */
  get logAt(): number {
    return logRegionAt(this.#place)
  }

  get end(): number {
    return this.logAt + this.#place.logCapacity
  }

  resize(logSize: number): Operation {
    if (this.#written) return this.#change({ logSize })
    this.#place = { ...this.#place, logSize }
    return immediate(() => {})
  }

  /** From here on there is an arena: of one that was prepared, once its regions are in order. */
  publish(): Operation {
    this.#written = true
    return this.#change({})
  }

  get published(): boolean {
    return this.#written
  }

  /** From here on it is no copy of another arena. */
  takeOver(): Operation {
    return this.#change({ flags: this.#place.flags | placeFlags.takenOver })
  }

  files(): RegionFiles {
    const { ground } = this.#file
    const { dataCapacity, logCapacity } = this.#place
    const data = { path: `${ground.name} (data)`, offset: dataRegionAt, capacity: dataCapacity }
    const log = { path: `${ground.name} (log)`, offset: this.logAt, capacity: logCapacity }
    return { data: new RegionFile(ground, data), log: new RegionFile(ground, log, this) }
  }

  #change(fields: Partial<ReplicaPlace>): Operation {
    const place = { ...this.#place, ...fields, change: this.#place.change + 1 }
    this.#place = place
    return this.#file.write(slotAt(place), [encodeSlot(replicaPlaceLayout, place)])
  }
}

const headerFile = (ground: Ground): RegionFile =>
  new RegionFile(ground, { path: ground.name, offset: 0, capacity: slotsSize })
