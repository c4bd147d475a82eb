import { assert, RpmemError } from '../core/index.js'
import type { ArenaFile, Extent } from './arena-file.js'
import type { Ground } from './ground.js'
import { immediate, type Operation, type Pending } from './operation.js'

export interface Region {
  readonly path: string
  /** Of the ground. */
  readonly offset: number
  /** Bytes. */
  readonly capacity: number
}

/** Where it stands how much of a region is in use; a region without one is in use as a whole. */
export interface RegionUse {
  readonly size: number
  /** Durable when it has ended. */
  resize(size: number): Operation
}

/** A stretch of a pool in the place of a file of an arena. What was written is durable when the operation has ended. */
export class RegionFile implements ArenaFile {
  readonly path: string
  readonly ground: Ground
  readonly #region: Region
  readonly #use: RegionUse | undefined

  constructor(ground: Ground, region: Region, use?: RegionUse) {
    this.path = region.path
    this.ground = ground
    this.#region = region
    this.#use = use
  }

  get capacity(): number {
    return this.#region.capacity
  }

  get size(): number {
    return this.#use?.size ?? this.capacity
  }

  read(at: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.size - at))
    this.ground.read(this.#region.offset + at, into.subarray(0, length))
    return length
  }

  write(at: number, pieces: readonly Uint8Array[]): Operation {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    return this.#change([{ at, length }], () => {
      let to = this.#region.offset + at
      for (const piece of pieces) {
        this.ground.write(to, piece)
        to += piece.length
      }
    })
  }

  copy(source: ArenaFile, extents: readonly Extent[]): Operation {
    assert(source instanceof RegionFile && source.ground === this.ground, 'regions of one pool are copied')
    const places = extents.map(({ to, length }) => ({ at: to, length }))
    return this.#change(places, () => {
      for (const { from, to, length } of extents) {
        this.ground.move(this.#region.offset + to, source.#region.offset + from, length)
      }
    })
  }

  /** Every operation has done it. */
  sync(): Operation {
    return nothing
  }

  allocate(length: number): Operation {
    if (length > this.capacity) {
      return immediate(() => {
        throw this.#noRoom(length)
      })
    }
    return this.#use?.resize(length) ?? nothing
  }

  truncate(length: number): Operation {
    return this.#use?.resize(length) ?? nothing
  }

  close(): void {}

  #change(places: readonly { readonly at: number; readonly length: number }[], put: () => void): Operation {
    const ranges = places.map(({ at, length }) => {
      assert(at + length <= this.capacity, 'what is written was allocated')
      return [this.#region.offset + at, length] as const
    })
    const persistSync = (): void => {
      for (const [offset, length] of ranges) this.ground.persistSync(offset, length)
    }
    return {
      run() {
        put()
        persistSync()
      },
      start: () => {
        put()
        return begun(this.#persist(ranges), persistSync)
      },
    }
  }

  #noRoom(length: number): RpmemError {
    const { path, capacity } = this
    return new RpmemError('ERR_DISK_FULL', `${path} has room for ${capacity} bytes, and ${length} are needed`, {
      facts: { path, capacity, length },
      durability: 'none',
      hint: 'The replica was made for a smaller arena: remove it there, make room in its pool set, and open the arena again.',
    })
  }

  async #persist(ranges: readonly (readonly [number, number])[]): Promise<void> {
    for (const [offset, length] of ranges) await this.ground.persist(offset, length)
  }
}

/** To wait for a promise without the event loop, the same range is persisted once more: whatever fails then has failed before. */
function begun(done: Promise<void>, join: () => void): Pending {
  done.catch(() => {})
  return { done, join }
}

const nothing = immediate(() => {})
