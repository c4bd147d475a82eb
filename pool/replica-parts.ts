import {
  assert,
  attributesAreZero,
  type PoolAttributes,
  pageSize,
  type Random,
  RpmemError,
  systemRandom,
} from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'
import { encodeHeader, incompatShutdownState, type PartHeader } from './header.js'
import { attributesOf, checkAttributes, completeAttributes, headersOf, replaceAttributes } from './header-attributes.js'
import { checkHeaders } from './header-check.js'
import { checkPlaces, type HeaderOptions, type PartPlace, type ReplicaLayout, replicaLayout } from './layout.js'
import { nativeStorage } from './native-storage.js'
import { Part } from './part.js'
import { checkShutdownState, shutdownState } from './shutdown-state.js'
import type { Storage } from './storage.js'

export interface ReplicaPartsRequest {
  /** The files of the replica, in order. */
  readonly parts: readonly PartPlace[]
  readonly options: HeaderOptions
  /** Default: the operating system's. */
  readonly storage?: Storage
}

export interface CreateReplicaPartsRequest extends ReplicaPartsRequest {
  /**
   * What goes into the headers; undefined (or all zero) for NOHDRS. Zero UUIDs and flags are filled in: a target passes on
   * what it received, a pool sets the links between its replicas.
   */
  readonly attributes: PoolAttributes | undefined
  /** Of new files; default 0600. */
  readonly mode?: number
  readonly random?: Random
}

/**
 * Makes the parts of one replica: files with all their space, locked, mapped as one range, with durable headers. A part
 * that exists must have exactly its size and a zero header page. After a failure nothing of this attempt is left.
 * Errors: ERR_ATTRIBUTES, ERR_PART_SIZE, ERR_PART_EXISTS, ERR_PART_ACCESS, ERR_PART_IO, ERR_DISK_FULL, ERR_POOL_BUSY,
 * ERR_POOLSET_UNSUITABLE, ERR_MAP. Source: rpmem_create(3), reference pool-format 3.1 and 4.
 */
export async function createReplicaParts(request: CreateReplicaPartsRequest): Promise<ReplicaParts> {
  const { parts: places, options, storage = nativeStorage, random = systemRandom, mode = 0o600 } = request
  checkPlaces(places)
  checkAttributes(request.attributes, options)
  const layout = replicaLayout(places, options)
  const parts: Part[] = []
  const written: Part[] = []
  try {
    for (const place of places) parts.push(await Part.create(place, storage))
    const withHeader = parts.slice(0, layout.headers)
    for (const part of withHeader) await part.checkHeaderIsFree()
    const headers = await newHeaders(withHeader, request.attributes, random)
    for (const [index, part] of withHeader.entries()) {
      written.push(part)
      await part.writeHeader(encodeHeader(at(headers, index)))
    }
    for (const part of parts) await part.publish(mode)
    return await ready(parts, headers, layout, written, storage)
  } catch (error) {
    await undo(parts, written)
    throw error
  }
}

/**
 * Opens what createReplicaParts or PMDK 1.12 made. Every part must exist, be free and have exactly its size; headers are
 * validated, and so is the shutdown state where the pool keeps one.
 * Errors: ERR_PART_MISSING, ERR_PART_SIZE, ERR_PART_ACCESS, ERR_PART_IO, ERR_POOL_BUSY, ERR_HEADER_INVALID,
 * ERR_SHUTDOWN_STATE, ERR_POOLSET_UNSUITABLE, ERR_MAP. Source: rpmem_open(3), reference pool-format 3.3.
 */
export async function openReplicaParts(request: ReplicaPartsRequest): Promise<ReplicaParts> {
  const { parts: places, options, storage = nativeStorage } = request
  checkPlaces(places)
  const layout = replicaLayout(places, options)
  const parts: Part[] = []
  try {
    for (const place of places) parts.push(await Part.open(place, storage))
    const headers = await readHeaders(parts.slice(0, layout.headers))
    return await ready(parts, headers, layout, undefined, storage)
  } catch (error) {
    await closeAll(parts)
    throw error
  }
}

/** The parts of one replica, open, locked and mapped. */
export class ReplicaParts {
  readonly memory: Memory
  /** Pool size in bytes, the header page of the first part included. */
  readonly size: number
  readonly #parts: readonly Part[]
  /** Parts whose header this object wrote first; undefined if the pool was there before. */
  readonly #written: readonly Part[] | undefined
  #headers: readonly PartHeader[]
  #closing: Promise<void> | undefined
  /** Header writes one after the other; close waits for them. */
  #writing: Promise<void> = Promise.resolve()

  constructor(
    parts: readonly Part[],
    headers: readonly PartHeader[],
    layout: ReplicaLayout,
    written: readonly Part[] | undefined,
    memory: Memory,
  ) {
    this.memory = memory
    this.size = layout.size
    this.#parts = parts
    this.#headers = headers
    this.#written = written
  }

  /** As the first header has them; undefined for a pool without headers. */
  get attributes(): PoolAttributes | undefined {
    const first = this.#headers[0]
    return first && attributesOf(first)
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

  /** Marks the shutdown state where the pool keeps one. Only for the functions of this file. */
  async markOpen(dirty: boolean): Promise<void> {
    const first = this.#headers[0]
    if (!first || !(first.incompat & incompatShutdownState)) return
    await this.#enqueue(() => this.#headers.with(0, { ...at(this.#headers, 0), shutdownState: shutdownState(dirty) }))
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
    this.#closing = this.#close(() => (this.#written ? discard(this.#parts, this.#written) : unlinkAll(this.#parts)))
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

/** Unlinks parts by name, as `rpmem_remove` does: header and size are not looked at. */
export interface RemoveReplicaPartsRequest {
  readonly paths: readonly string[]
  readonly storage?: Storage
  /** A missing part is no error, and a locked one is passed over. */
  readonly force?: boolean
}

/** Every part is tried; the first error is thrown at the end. A part in use is never unlinked. */
export async function removeReplicaParts(request: RemoveReplicaPartsRequest): Promise<void> {
  const { paths, storage = nativeStorage, force = false } = request
  let failure: unknown
  for (const path of paths) {
    try {
      await removePart(path, storage)
    } catch (error) {
      failure ??= error
    }
  }
  if (failure !== undefined && !force) throw failure
}

async function removePart(path: string, storage: Storage): Promise<void> {
  const part = await Part.claim(path, storage)
  try {
    await part.unlink()
  } finally {
    await part.close()
  }
}

async function ready(
  parts: readonly Part[],
  headers: readonly PartHeader[],
  layout: ReplicaLayout,
  written: readonly Part[] | undefined,
  storage: Storage,
): Promise<ReplicaParts> {
  const memory = storage.map(
    layout.pieces
      .filter(piece => piece.length > 0)
      .map(({ part, fileOffset, length }) => ({ fd: at(parts, part).fd, offset: fileOffset, length })),
  )
  const replica = new ReplicaParts(parts, headers, layout, written, memory)
  try {
    await replica.markOpen(true)
    return replica
  } catch (error) {
    memory.close()
    throw error
  }
}

async function newHeaders(parts: readonly Part[], attributes: PoolAttributes | undefined, random: Random) {
  if (parts.length === 0) return []
  assert(attributes !== undefined, 'headers are made of attributes')
  const times: bigint[] = []
  for (const part of parts) times.push(await part.changedAt())
  return headersOf(completeAttributes(attributes, random), times, random)
}

async function readHeaders(parts: readonly Part[]): Promise<PartHeader[]> {
  const pages: { path: string; page: Uint8Array }[] = []
  for (const part of parts) pages.push({ path: part.path, page: await part.readHeader() })
  const headers = checkHeaders(pages)
  const first = headers[0]
  if (first && first.incompat & incompatShutdownState) checkShutdownState(first.shutdownState, at(parts, 0).path)
  return headers
}

async function undo(parts: readonly Part[], written: readonly Part[]): Promise<void> {
  try {
    await discard(parts, written)
  } finally {
    await closeAll(parts)
  }
}

async function discard(parts: readonly Part[], written: readonly Part[]): Promise<void> {
  for (const part of written) if (!part.created) await part.writeHeader(new Uint8Array(pageSize))
  await unlinkAll(parts.filter(part => part.created))
}

async function unlinkAll(parts: readonly Part[]): Promise<void> {
  for (const part of parts) await part.unlink()
}

async function closeAll(parts: readonly Part[]): Promise<void> {
  for (const part of parts) await part.close()
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  assert(item !== undefined, 'the index lies inside the list')
  return item
}
