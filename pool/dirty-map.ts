import { crc32 } from 'node:zlib'
import { alignUp, bytes, count64be, pageSize, reserved, struct, u32be, type ValueOf } from '../core/index.js'
import type { Memory } from '../fabric-native/index.js'

/** The first page of a dirty map. `stamp` grows with each reset; chunks of an older stamp count as clean. */
const headerLayout = struct('dirty map header', 64, {
  magic: bytes(8),
  version: u32be,
  stamp: u32be,
  poolSize: count64be,
  /** The generation that the replica had when it was last in step. */
  base: bytes(16),
  /** 1: the map is the whole difference. */
  whole: u32be,
  unused: reserved(16),
  checksum: u32be,
})
/** One bit a page, in pieces that a disk writes whole; the checksum covers what follows it. */
const chunkLayout = struct('dirty map chunk', 512, { checksum: u32be, stamp: u32be, bits: bytes(504) })

const magic = new Uint8Array(Buffer.from('RPMEMDRT'))
const version = 1
const pagesPerChunk = 504 * 8
const checksumSize = 4

/** Words that threads share, in front of the base and the bits. */
const word = { stamp: 0, whole: 1, dirtyPages: 2, edition: 3, count: 4 } as const
const sharedHeaderSize = 4 * word.count + 16
const bitsSize = 504

/** A map on its way to another thread of this process. */
export interface DirtyMapToken {
  readonly poolSize: number
  readonly shared: SharedArrayBuffer
}

export interface Range {
  readonly offset: number
  readonly length: number
}

/**
 * The pages of a pool that one replica misses. It is durable before the call that marks returns, and errs to one side only: a
 * piece that a crash has torn, or whose checksum is wrong, counts as dirty throughout. Bits are cleared after their bytes were
 * verified on the replica; a clearing that a crash forgets costs time and no byte.
 */
export class DirtyMap {
  readonly #memory: Memory
  readonly #poolSize: number
  /** Seen by every thread that shares the map; who changes something there holds the lock of the pool. */
  readonly #shared: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #baseId: Uint8Array
  readonly #chunks: Uint8Array[]

  /** Bytes of memory that the map of a pool takes. */
  static sizeFor(poolSize: number): number {
    return pageSize + alignUp(chunksFor(poolSize) * chunkLayout.size, pageSize)
  }

  /** A new map, empty and durable. @param base id of the generation in which the replica is in step, or unknownBase */
  static format(memory: Memory, poolSize: number, base: string): DirtyMap {
    memory.fill(0, 0, DirtyMap.sizeFor(poolSize))
    const map = new DirtyMap(memory, poolSize)
    map.reset(base)
    return map
  }

  /** The map as an earlier process left it. One of another pool, or with a damaged header, counts as dirty throughout. */
  static load(memory: Memory, poolSize: number): DirtyMap {
    const page = new Uint8Array(headerLayout.size)
    memory.read(0, page)
    const header = readHeader(page)
    if (header?.poolSize === poolSize) {
      const map = new DirtyMap(memory, poolSize)
      map.#set(header.stamp, header.whole === 1, toHex(header.base))
      map.#readChunks()
      return map
    }
    const map = new DirtyMap(memory, poolSize)
    map.#set(header?.stamp ?? 0, false, unknownBase)
    map.#damaged()
    return map
  }

  /** The map that another thread has opened. @param memory the same media, as this thread sees it */
  static attach(memory: Memory, { poolSize, shared }: DirtyMapToken): DirtyMap {
    return new DirtyMap(memory, poolSize, shared)
  }

  private constructor(memory: Memory, poolSize: number, shared?: SharedArrayBuffer) {
    const chunks = chunksFor(poolSize)
    this.#memory = memory
    this.#poolSize = poolSize
    this.#shared = shared ?? new SharedArrayBuffer(sharedHeaderSize + chunks * bitsSize)
    this.#words = new Int32Array(this.#shared, 0, word.count)
    this.#baseId = new Uint8Array(this.#shared, 4 * word.count, 16)
    this.#chunks = Array.from(
      { length: chunks },
      (_, index) => new Uint8Array(this.#shared, sharedHeaderSize + index * bitsSize, bitsSize),
    )
  }

  /** For attach in another thread; the memory is shared apart from it. */
  share(): DirtyMapToken {
    return { poolSize: this.#poolSize, shared: this.#shared }
  }

  get memory(): Memory {
    return this.#memory
  }

  /** Id of the generation in which the replica was last known to be. */
  get base(): string {
    return toHex(this.#baseId)
  }

  /** Changes whenever what the map says of the replica as a whole does: base, stamp, whether it is whole. */
  get edition(): number {
    return this.#words[word.edition] ?? 0
  }

  /** A replica of generation `base` misses what the map says and nothing else. */
  get isWhole(): boolean {
    return this.#words[word.whole] === 1
  }

  get isEmpty(): boolean {
    return this.#dirtyPages === 0
  }

  /** Whole pages, so up to a page more than the pool at its end. */
  get dirtyBytes(): number {
    return this.#dirtyPages * pageSize
  }

  /** Records that the replica misses these bytes; durable when it returns. */
  mark(offset: number, length: number): void {
    if (length > 0) this.#change(offset, offset + length, true)
  }

  markAll(): void {
    this.#change(0, this.#poolSize, true)
  }

  /** For pages that the replica was proved to have; pages that lie partly outside the range stay as they are. */
  clear(offset: number, length: number): void {
    const end = offset + length >= this.#poolSize ? alignUp(this.#poolSize, pageSize) : offset + length
    const first = alignUp(offset, pageSize)
    const last = end - (end % pageSize)
    if (last > first) this.#change(first, last, false)
  }

  /** The replica may miss more than the map says, until everything was compared. Durable when it returns. */
  distrust(): void {
    this.#words[word.whole] = 0
    this.#writeHeader()
  }

  /** The replica is of this generation; `whole`: and all in which it differs is marked. */
  rebase(base: string, whole: boolean): void {
    this.#set(this.#stamp, whole, base)
    this.#writeHeader()
  }

  /** The replica is in step in this generation: nothing is missing any more. */
  reset(base: string): void {
    this.#set((this.#stamp + 1) >>> 0, base !== unknownBase, base)
    if (this.#dirtyPages > 0) for (const bits of this.#chunks) bits.fill(0)
    this.#words[word.dirtyPages] = 0
    this.#writeHeader()
  }

  /** Runs of dirty pages in ascending order, each of at most `most` bytes, cut at the end of the pool. */
  *ranges(most = Number.MAX_SAFE_INTEGER): Generator<Range> {
    const pagesAtMost = Math.max(1, Math.floor(most / pageSize))
    const pages = Math.ceil(this.#poolSize / pageSize)
    for (let page = this.#nextDirty(0, pages); page < pages; ) {
      let end = page + 1
      while (end < pages && end - page < pagesAtMost && this.#isDirty(end)) end++
      const offset = page * pageSize
      yield { offset, length: Math.min(end * pageSize, this.#poolSize) - offset }
      page = this.#nextDirty(end, pages)
    }
  }

  isDirty(offset: number): boolean {
    return this.#isDirty(Math.floor(offset / pageSize))
  }

  #nextDirty(from: number, pages: number): number {
    let page = from
    while (page < pages && !this.#isDirty(page)) {
      // Most chunks of most maps are clean as a whole.
      if (page % 8 === 0 && this.#byte(page) === 0) page += 8
      else page++
    }
    return Math.min(page, pages)
  }

  #byte(page: number): number {
    return this.#chunks[Math.floor(page / pagesPerChunk)]?.[(page % pagesPerChunk) >> 3] ?? 0
  }

  #isDirty(page: number): boolean {
    return (this.#byte(page) & (1 << (page & 7))) !== 0
  }

  #change(from: number, to: number, dirty: boolean): void {
    // A page may be marked here that never reached the media.
    if (this.#memory.failure) throw this.#memory.failure
    const last = Math.floor((Math.min(to, alignUp(this.#poolSize, pageSize)) - 1) / pageSize)
    let changed: Set<number> | undefined
    for (let page = Math.floor(from / pageSize); page <= last; page++) {
      if (this.#isDirty(page) === dirty) continue
      this.#turn(page, dirty)
      changed ??= new Set()
      changed.add(Math.floor(page / pagesPerChunk))
    }
    if (!changed) return
    for (const chunk of changed) this.#writeChunk(chunk)
    this.#memory.drain()
  }

  get #stamp(): number {
    return (this.#words[word.stamp] ?? 0) >>> 0
  }

  get #dirtyPages(): number {
    return this.#words[word.dirtyPages] ?? 0
  }

  #set(stamp: number, whole: boolean, base: string): void {
    this.#words[word.stamp] = stamp
    this.#words[word.whole] = whole ? 1 : 0
    this.#baseId.set(fromHex(base))
    this.#words[word.edition] = this.edition + 1
  }

  #turn(page: number, dirty: boolean): void {
    const bits = this.#chunks[Math.floor(page / pagesPerChunk)]
    const byte = this.#byte(page) ^ (1 << (page & 7))
    const pages = this.#dirtyPages + (dirty ? 1 : -1)
    if (!bits) return
    // Nothing is called between the two, so that a thread that is terminated here leaves both or none.
    bits[(page % pagesPerChunk) >> 3] = byte
    this.#words[word.dirtyPages] = pages
  }

  #writeChunk(index: number): void {
    const bits = this.#chunks[index]
    if (!bits) return
    const chunk = chunkLayout.encode({ checksum: 0, stamp: this.#stamp, bits })
    new DataView(chunk.buffer).setUint32(0, checksumOf(chunk.subarray(checksumSize)))
    this.#memory.copyIn(pageSize + index * chunkLayout.size, chunk, { noDrain: true })
  }

  #writeHeader(): void {
    if (this.#memory.failure) throw this.#memory.failure
    const [poolSize, stamp, whole] = [this.#poolSize, this.#stamp, this.isWhole ? 1 : 0]
    const base = this.#baseId.slice()
    const page = headerLayout.encode({ magic, version, stamp, poolSize, base, whole, checksum: 0 })
    new DataView(page.buffer).setUint32(headerLayout.size - checksumSize, headerChecksum(page))
    this.#memory.copyIn(0, page)
  }

  #readChunks(): void {
    const chunk = new Uint8Array(chunkLayout.size)
    for (const [index, bits] of this.#chunks.entries()) {
      this.#memory.read(pageSize + index * chunkLayout.size, chunk)
      bits.set(bitsOf(chunk, this.#stamp))
      this.#trim(index, bits)
      let pages = this.#dirtyPages
      for (const byte of bits) pages += ones(byte)
      this.#words[word.dirtyPages] = pages
    }
  }

  /** Behind the end of the pool there are no pages, whatever a torn chunk seems to say. */
  #trim(index: number, bits: Uint8Array): void {
    const pages = Math.min(pagesPerChunk, Math.ceil(this.#poolSize / pageSize) - index * pagesPerChunk)
    for (let page = pages; page < pagesPerChunk; page++) {
      const at = page >> 3
      bits[at] = (bits[at] ?? 0) & ~(1 << (page & 7))
    }
  }

  #damaged(): void {
    this.#words[word.stamp] = this.#stamp + 1
    this.#writeHeader()
    this.markAll()
  }
}

/** No generation has this id. */
export const unknownBase = '00000000000000000000000000000000'

const chunksFor = (poolSize: number): number => Math.max(1, Math.ceil(poolSize / pageSize / pagesPerChunk))

const allDirty = new Uint8Array(504).fill(0xff)
const allClean = new Uint8Array(504)

/** Undefined if it is damaged or none. */
function readHeader(page: Uint8Array): ValueOf<typeof headerLayout> | undefined {
  if (new DataView(page.buffer).getUint32(headerLayout.size - checksumSize) !== headerChecksum(page)) return undefined
  const header = headerLayout.decode(page)
  return header.version === version && Buffer.from(magic).equals(header.magic) ? header : undefined
}

function bitsOf(chunk: Uint8Array, stamp: number): Uint8Array {
  const { checksum, stamp: written, bits } = chunkLayout.decode(chunk)
  if (checksum !== checksumOf(chunk.subarray(checksumSize)))
    return chunk.every(byte => byte === 0) ? allClean : allDirty
  return written === stamp ? bits : allClean
}

/** Never that of zeros, so that a chunk of zeros is one that was never written. */
const checksumOf = (covered: Uint8Array): number => (crc32(covered) ^ 0x52504d44) >>> 0
const headerChecksum = (page: Uint8Array): number => checksumOf(page.subarray(0, headerLayout.size - checksumSize))

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++
  return count
}

const toHex = (id: Uint8Array): string => Buffer.from(id).toString('hex')
const fromHex = (id: string): Uint8Array => new Uint8Array(Buffer.from(id, 'hex'))
