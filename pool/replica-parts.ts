import { assert, attributesAreZero, type PoolAttributes, RpmemError } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { encodeHeader, type PartHeader } from './header.js'
import { attributesOf, replaceAttributes } from './header-attributes.js'
import { type PartPlace, type ReplicaLayout, withPart } from './layout.js'
import { Part } from './part.js'
import { devicesBelow, keepsShutdownState } from './part-devices.js'
import { at, closeAll, discarding, unlinkAll } from './part-list.js'
import { RecordFile, type RecordStore, recordPath } from './record-file.js'
import { type DeviceState, shutdownState, unknownDevices } from './shutdown-state.js'
import type { Storage } from './storage.js'
import { takeBack } from './taking-back.js'

/** What parts are kept with, besides the files. */
export interface PartsKeeping {
  readonly storage: Storage
  /** Names the notes of a copy whose first part is a device; others have theirs beside the first part. */
  readonly notesBeside: string | undefined
}

/** The parts of one replica, open, locked and mapped. */
export class ReplicaParts {
  readonly memory: Memory
  readonly #keeping: PartsKeeping
  #parts: readonly Part[]
  #layout: ReplicaLayout
  /** Parts whose header this object wrote first; undefined if the pool was there before. */
  readonly #written: readonly Part[] | undefined
  #headers: readonly PartHeader[]
  /** As they were when the pool was opened; what happens to them later shows at the next opening. */
  #devices: DeviceState = unknownDevices
  #closing: Promise<void> | undefined
  /** Header writes one after the other; close waits for them. */
  #writing: Promise<void> = Promise.resolve()

  constructor(
    parts: readonly Part[],
    headers: readonly PartHeader[],
    layout: ReplicaLayout,
    written: readonly Part[] | undefined,
    memory: Memory,
    keeping: PartsKeeping,
  ) {
    this.memory = memory
    this.#keeping = keeping
    this.#parts = parts
    this.#layout = layout
    this.#headers = headers
    this.#written = written
  }

  /** Pool size in bytes, the header page of the first part included. */
  get size(): number {
    return this.#layout.size
  }

  /** As the first header has them; undefined for a pool without headers. */
  get attributes(): PoolAttributes | undefined {
    const first = this.#headers[0]
    return first && attributesOf(first)
  }

  /** Beside the first part, and removed with it. */
  get record(): RecordStore {
    return new RecordFile(recordPath(this.notesBeside))
  }

  /** The path beside which the notes of this copy lie: the first part's, unless that is a device, whose folder forgets. */
  get notesBeside(): string {
    const first = at(this.#parts, 0)
    return (first.deviceAlignment === undefined ? undefined : this.#keeping.notesBeside) ?? first.path
  }

  /**
   * Makes one more part, without a header, and gives it its name; it belongs to the memory from `append` on. Nothing is left
   * of one that failed. Errors as createReplicaParts.
   */
  async makePart(place: PartPlace): Promise<Part> {
    const part = await Part.create(place, this.#keeping.storage)
    try {
      await part.publish(0o600)
      return part
    } catch (error) {
      throw await takeBack(error, [() => part.unlink(), () => part.close()])
    }
  }

  /** Maps a part that makePart made behind the others; views stay as they are. ERR_MAP: it does not fit, nothing has changed. */
  append(part: Part, size: number): void {
    const layout = withPart(this.#layout, size)
    const { fileOffset: offset, length } = at(layout.pieces, layout.pieces.length - 1)
    this.#keeping.storage.extend(this.memory, [{ fd: part.fd, offset, length }])
    this.#layout = layout
    this.#parts = [...this.#parts, part]
  }

  /** Before parts are appended: the shutdown state, where the pool keeps one, becomes that of all devices, theirs too. */
  async noteDevices(coming: readonly Part[] = []): Promise<void> {
    if (keepsShutdownState(this.#headers[0]))
      await this.markOpen(true, devicesBelow([...this.#parts, ...coming], this.#keeping.storage))
  }

  get paths(): string[] {
    return this.#parts.map(part => part.path)
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Replaces what the attributes hold in every header, raw, also where it is zero; times of creation and shutdown state stay.
   * Durable when it resolves. Without headers only undefined (or all zero) is possible and changes nothing; anything else is
   * ERR_ATTRIBUTES. Works while the pool is in use. Source: rpmem_set_attr(3), reference pool-format 3.4.
   */
  async setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    if (this.closed) throw new RpmemError('ERR_CLOSED', 'the parts are closed')
    const given = attributes !== undefined && !attributesAreZero(attributes)
    if (given !== this.#headers.length > 0) {
      throw new RpmemError(
        'ERR_ATTRIBUTES',
        given ? 'the pool has no headers that could hold attributes' : 'a pool with headers needs attributes',
      )
    }
    if (given) await this.#enqueue(() => replaceAttributes(this.#headers, attributes))
  }

  /**
   * What msync does for the range, without blocking: the parts that it touches are durable when it resolves. Many calls share
   * one wait for the disk. ERR_MSYNC, from then on for every range of the part.
   */
  async sync(offset: number, length: number): Promise<void> {
    const touched = this.#layout.pieces.filter(
      piece => piece.poolOffset < offset + length && offset < piece.poolOffset + piece.length,
    )
    if (touched.length === 1) await at(this.#parts, touched[0]?.part ?? 0).sync()
    else await Promise.all(touched.map(({ part }) => at(this.#parts, part).sync()))
  }

  /** Marks the shutdown state where the pool keeps one. Only for the functions of this file. */
  async markOpen(dirty: boolean, devices: DeviceState = this.#devices): Promise<void> {
    this.#devices = devices
    const first = this.#headers[0]
    if (!keepsShutdownState(first)) return
    const state = shutdownState(dirty, devices)
    await this.#enqueue(() => this.#headers.with(0, { ...at(this.#headers, 0), shutdownState: state }))
  }

  /** Unmaps, notes the clean shutdown, unlocks. Idempotent. What was not persisted before may not be durable. */
  close(): Promise<void> {
    this.#closing ??= this.#close(() => this.markOpen(false))
    return this.#closing
  }

  /**
   * Closes and makes the pool disappear. Files that were there before the pool was created stay, with a zero header page;
   * all others are unlinked, while the locks are still held.
   */
  remove(): Promise<void> {
    assert(!this.closed, 'open parts are removed')
    this.#closing = this.#close(async () => {
      this.record.remove()
      if (this.#written) for (const step of discarding(this.#parts, this.#written)) await step()
      else await unlinkAll(this.#parts)
    })
    return this.#closing
  }

  async #close(last: () => Promise<void>): Promise<void> {
    await this.#writing
    this.memory.close()
    try {
      await last()
    } finally {
      await closeAll(this.#parts)
    }
  }

  #enqueue(change: () => readonly PartHeader[]): Promise<void> {
    const written = this.#writing.then(async () => {
      const headers = change()
      for (const [index, header] of headers.entries()) {
        if (header !== this.#headers[index]) await at(this.#parts, index).writeHeader(encodeHeader(header))
      }
      this.#headers = headers
    })
    this.#writing = written.catch(() => {})
    return written
  }
}
