import { RpmemError } from '../core/index.js'
import {
  type HeapFinding,
  type HeapStatistics,
  type HeapToken,
  type MemoryToken,
  NativeHeap,
  NativeMemory,
} from '../fabric-native/index.js'
import { Block } from './block.js'
import { errormsg, logLine, logs, noted, print, setFuncs, type VmemFunctions } from './diagnosis.js'
import {
  createInFile,
  createInFileSync,
  createInRegion,
  createOnDevice,
  createOnDeviceSync,
  fileSize,
  isDevice,
  type PoolMemory,
} from './pool-memory.js'
import { Stamp } from './stamp.js'
import { statisticsText } from './statistics-text.js'
import { checkVersion, majorVersion, minorVersion } from './version.js'
import { ownBuffer, Windows } from './windows.js'

export interface VmemOptions {
  /** Up to which size `grow` may go, bytes; costs addresses and a 500th of it in tables. Default: the size. */
  readonly maxSize?: number
}

export interface VmemRegion {
  /** Multiple of 4096. Default 0. */
  readonly offset?: number
  /** Default: up to the end of the memory. */
  readonly size?: number
}

/** A pool on its way to another thread of this process; can be posted to a worker. Good as long as the pool is open. */
export interface VmemToken {
  readonly memory: MemoryToken
  readonly heap: HeapToken
  readonly base: number
}

/** What `check` found: at most 100 places, offsets from the begin of the pool. */
export interface VmemCheck {
  readonly consistent: boolean
  readonly findings: readonly HeapFinding[]
}

/** A pool that was opened and not closed must stay: others may use it, and forgotten blocks have to be freed. */
const open = new Set<Vmem>()

/**
 * malloc and its kin on a file or a region: all of libvmem 1.1 (libvmem(7)), where what is undefined there is an error here.
 * Blocks come in two forms: Buffers over the pool's memory, without a copy, and offsets from the begin of the pool for programs
 * that link structures of their own; 0 is never the offset of a block. Nothing in a pool outlives it.
 *
 * All calls are synchronous and throw; what they throw is also told by `Vmem.errormsg()`. One object belongs to one thread:
 * `share` and `attach` bring the pool to others, and each may free what another allocated.
 */
export class Vmem {
  static readonly majorVersion = majorVersion
  static readonly minorVersion = minorVersion
  static readonly checkVersion = checkVersion
  static readonly errormsg = errormsg

  readonly #memory: NativeMemory
  readonly #heap: NativeHeap
  readonly #base: number
  readonly #windows: Windows
  readonly #traced = logs(3)
  #size = 0
  readonly #forgotten = new FinalizationRegistry<number>(offset => this.#release(offset))

  private constructor({ memory, heap, base }: PoolMemory) {
    this.#memory = memory
    this.#heap = heap
    this.#base = base
    this.#windows = new Windows(memory)
    open.add(this)
    logLine(2, 'create', `a pool of ${heap.size} bytes`)
  }

  /**
   * A pool of `size` bytes, rounded up to pages, on an unnamed file in a directory, its space reserved; or the whole of a
   * device DAX, of which `size` is then the least. Source: vmem_create(3).
   * @throws ERR_HEAP_SIZE (checked first), ERR_ARGUMENT, ERR_DISK_FULL, ERR_VMEM_CREATE with the errno of libvmem, ERR_MAP
   */
  static create(directory: string, size: number, options: VmemOptions = {}): Promise<Vmem> {
    return attemptAsync('create', async () => {
      const sizes = fileSize(size, options.maxSize)
      return new Vmem(
        isDevice(directory) ? await createOnDevice(directory, size) : await createInFile(directory, sizes),
      )
    })
  }

  static createSync(directory: string, size: number, options: VmemOptions = {}): Vmem {
    return attempt('create', () => {
      const sizes = fileSize(size, options.maxSize)
      return new Vmem(isDevice(directory) ? createOnDeviceSync(directory, size) : createInFileSync(directory, sizes))
    })
  }

  /** A pool on the whole of a device DAX. @throws ERR_VMEM_CREATE, for what is none with EINVAL */
  static createOnDevice(path: string): Promise<Vmem> {
    return attemptAsync('createOnDevice', async () => new Vmem(await createOnDevice(path)))
  }

  static createOnDeviceSync(path: string): Vmem {
    return attempt('createOnDevice', () => new Vmem(createOnDeviceSync(path)))
  }

  /**
   * A pool in mapped memory of the caller, whose content there is lost. The memory must stay open; it remains the caller's when
   * the pool is closed, its content then unspecified. Source: vmem_create_in_region(3).
   * @throws ERR_ARGUMENT, ERR_RANGE, ERR_HEAP_SIZE, ERR_HEAP_OVERLAP if another pool that is open lies there
   */
  static createInRegion(memory: NativeMemory, { offset = 0, size }: VmemRegion = {}): Vmem {
    return attempt('createInRegion', () => new Vmem(createInRegion(memory, offset, size)))
  }

  /** The pool that another thread of this process shared. @throws ERR_CLOSED */
  static attach({ memory: memoryToken, heap, base }: VmemToken): Vmem {
    return attempt('attach', () => {
      const memory = NativeMemory.attach(memoryToken)
      try {
        return new Vmem({ memory, heap: NativeHeap.attach(heap), base })
      } catch (error) {
        memory.close()
        throw error
      }
    })
  }

  /** Only `print` means something here: memory for the library's own use is not JavaScript's to give. Source: vmem_set_funcs(3). */
  static setFuncs(functions?: VmemFunctions): void {
    setFuncs(functions)
  }

  /** Bytes, tables included. */
  get size(): number {
    return this.#heap.size
  }

  get closed(): boolean {
    return this.#heap.closed
  }

  /** Distance of the pool's first byte from a multiple of 4 MiB: an address is aligned as `skew + offset` is. */
  get skew(): number {
    return this.#heap.skew
  }

  // Buffers

  /**
   * A Buffer of `size` bytes over the pool's memory, uninitialised. It keeps its memory until `free`, however long it is
   * forgotten; used after that, it writes into what may be another block. Its ArrayBuffer is the pool: copy what is to be
   * posted. At most 2^32 − 1 bytes. Source: vmem_malloc(3).
   * @throws ERR_HEAP_EXHAUSTED, an ordinary result after which the pool is as usable as before
   */
  malloc(size: number): Buffer {
    return this.#handOut(this.mallocOffset(size), size)
  }

  /** `count` × `size` bytes of zeros. Source: vmem_calloc(3). */
  calloc(count: number, size: number): Buffer {
    return this.#handOut(this.callocOffset(count, size), count * size)
  }

  /**
   * A Buffer of `size` bytes with the same content up to the smaller size, in the same place if that is possible; the one that was
   * given is then freed. Null instead of a Buffer allocates; size 0 frees and returns null. If it throws, the old block is
   * untouched; it never throws for a smaller size. Source: vmem_realloc(3).
   */
  realloc(buffer: Uint8Array | null, size: number): Buffer | null {
    if (buffer === null) return this.malloc(size)
    const offset = this.offsetOf(buffer)
    const moved = this.reallocOffset(offset, size)
    Stamp.clear(buffer)
    return moved === 0 ? null : this.#handOut(moved, size)
  }

  /** The address is a multiple of `alignment`, a power of two. Source: vmem_aligned_alloc(3). */
  alignedAlloc(alignment: number, size: number): Buffer {
    return this.#handOut(this.alignedAllocOffset(alignment, size), size)
  }

  /** The text in UTF-8, or the bytes up to the first NUL, with a NUL behind. Source: vmem_strdup(3). */
  strdup(text: string | Uint8Array): Buffer {
    const bytes = typeof text === 'string' ? Buffer.from(text) : requireBytes(text)
    const nul = bytes.indexOf(0)
    return this.#terminated(nul < 0 ? bytes : bytes.subarray(0, nul), 1)
  }

  /** The text as wchar_t of Linux, 4 bytes a code point in the order of the machine, with a NUL behind. Source: vmem_wcsdup(3). */
  wcsdup(text: string): Buffer {
    if (typeof text !== 'string') throw noted('wcsdup', new RpmemError('ERR_ARGUMENT', 'the text must be a string'))
    const points = Uint32Array.from(text.split('\0')[0] ?? '', character => character.codePointAt(0) ?? 0)
    return this.#terminated(new Uint8Array(points.buffer), 4)
  }

  /** Frees what malloc and its kin of this pool returned; null is nothing. Source: vmem_free(3). */
  free(buffer: Uint8Array | null): void {
    if (buffer === null) return
    this.freeOffset(this.offsetOf(buffer))
    Stamp.clear(buffer)
  }

  /** Bytes that the block really has; 0 for null. Source: vmem_malloc_usable_size(3). */
  mallocUsableSize(buffer: Uint8Array | null): number {
    return buffer === null ? 0 : this.usableSizeAt(this.offsetOf(buffer))
  }

  /** Where a Buffer of malloc and its kin lies. @throws ERR_HEAP_POINTER, ERR_HEAP_FREED, ERR_CLOSED */
  offsetOf(buffer: Uint8Array): number {
    const offset = Stamp.read(buffer, this)
    if (offset !== undefined && offset > 0) return offset
    if (this.closed) throw noted('offsetOf', new RpmemError('ERR_CLOSED', 'the pool was closed'))
    throw noted('offsetOf', offset === 0 ? freedBefore() : notHandedOut())
  }

  // Offsets

  /** As malloc. Above 2^32 − 1 bytes this is the only form. */
  mallocOffset(size: number): number {
    try {
      const offset = this.#heap.malloc(size)
      if (this.#traced) traced('malloc', `${size} → ${offset}`)
      return offset
    } catch (error) {
      throw noted('malloc', error)
    }
  }

  callocOffset(count: number, size: number): number {
    for (const number of [count, size]) {
      if (!Number.isSafeInteger(number) || number < 0) throw noted('calloc', notCounts())
    }
    const bytes = count * size
    if (!Number.isSafeInteger(bytes)) {
      const message = `${count} times ${size} bytes are more than any heap has`
      throw noted('calloc', new RpmemError('ERR_HEAP_EXHAUSTED', message, { facts: { count, size } }))
    }
    return allocate('calloc', [count, size], () => this.#heap.calloc(bytes))
  }

  /** 0 for a new block; size 0 frees and returns 0. */
  reallocOffset(offset: number, size: number): number {
    if (size !== 0 || offset === 0) {
      return allocate('realloc', [offset, size], () => this.#heap.realloc(offset, size))
    }
    this.freeOffset(offset)
    return 0
  }

  alignedAllocOffset(alignment: number, size: number): number {
    return allocate('alignedAlloc', [alignment, size], () => this.#heap.alignedAlloc(alignment, size))
  }

  /** 0 is nothing. @throws ERR_HEAP_POINTER, ERR_HEAP_FREED, and then nothing was changed */
  freeOffset(offset: number): void {
    if (offset === 0) return
    try {
      this.#heap.free(offset)
      if (this.#traced) traced('free', `${offset}`)
    } catch (error) {
      throw noted('free', error)
    }
  }

  usableSizeAt(offset: number): number {
    return attempt('mallocUsableSize', () => this.#heap.usableSize(offset))
  }

  /**
   * The pool's memory from an offset on, without a copy: by default the whole block that begins there, else `length` bytes that
   * need not be a block's. The Buffer is not one for `free`.
   */
  view(offset: number, length: number = this.usableSizeAt(offset)): Buffer {
    return attempt('view', () => {
      // Pools only grow: what lay inside once does so still.
      if (!isRange(offset, length, this.#size)) this.#size = this.#heap.size
      if (!isRange(offset, length, this.#size)) throw outside(offset, length, this.#size)
      return this.#windows.buffer(this.#base + offset, length)
    })
  }

  // Blocks that free themselves

  /**
   * A block for `using`: freed by `dispose`, which first empties every view of it, or when it is forgotten and no view of it
   * is left. Costs some microseconds more than malloc.
   */
  block(size: number): Block {
    const offset = this.mallocOffset(size)
    const bytes = attempt('block', () => ownBuffer(this.#memory, this.#base + offset, size))
    const owner = { detach: (view: Uint8Array) => this.#detach(view), release: (at: number) => this.freeOffset(at) }
    // Every view of the bytes holds their ArrayBuffer; of an empty block there is only the Buffer itself.
    this.#forgotten.register(size === 0 ? bytes : bytes.buffer, offset, bytes)
    return new Block(owner, bytes, offset)
  }

  // The pool

  /**
   * Looks at the whole pool and changes nothing; other threads wait meanwhile. A pool with findings should not be used any more:
   * something wrote into its tables or into free memory. Source: vmem_check(3).
   * @throws ERR_CLOSED, where libvmem answers −1; ERR_POOL_TRUNCATED if the memory itself was lost
   */
  check(): VmemCheck {
    return attempt('check', () => {
      const findings = this.#heap.check()
      if (this.#memory.failure) throw this.#memory.failure
      for (const { what, offset } of findings) noted('check', new Error(`${what} (offset ${offset})`))
      return { consistent: findings.length === 0, findings }
    })
  }

  /** Exact at the moment of the call. */
  stats(): HeapStatistics {
    return attempt('stats', () => this.#heap.statistics())
  }

  /** Prints statistics; each letter of `omit` leaves a part out: g, m, a, b, l. Source: vmem_stats_print(3). */
  statsPrint(omit?: string): void {
    print(statisticsText(this.stats(), omit))
  }

  /** Gives the storage of free memory back to the file system, as happens by itself when there is much; returns the bytes. */
  trim(): number {
    return attempt('trim', () => this.#heap.purge())
  }

  /** Makes the pool larger, up to `maxSize`. @throws ERR_HEAP_SIZE, ERR_DISK_FULL */
  grow(size: number): void {
    attempt('grow', () => this.#heap.grow(size))
    logLine(2, 'grow', `the pool has ${size} bytes`)
  }

  /** Lets `attach` in another thread of this process find the pool. */
  share(): VmemToken {
    return attempt('share', () => ({ memory: this.#memory.share(), heap: this.#heap.share(), base: this.#base }))
  }

  /**
   * Ends the pool: its Buffers become empty, its blocks are gone, the space of its file returns. In a thread that attached, only
   * for that thread. Idempotent. Source: vmem_delete(3).
   */
  closeSync(): void {
    open.delete(this)
    this.#heap.close()
    this.#memory.close()
    logLine(2, 'close', 'the pool was closed')
  }

  async close(): Promise<void> {
    this.closeSync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeSync()
  }

  #handOut(offset: number, size: number): Buffer {
    try {
      const buffer = this.#windows.buffer(this.#base + offset, size)
      Stamp.put(buffer, this, offset)
      return buffer
    } catch (error) {
      this.#heap.free(offset)
      throw noted('malloc', error)
    }
  }

  #terminated(bytes: Uint8Array, terminator: number): Buffer {
    const copy = this.malloc(bytes.length + terminator)
    copy.set(bytes)
    copy.fill(0, bytes.length)
    return copy
  }

  #detach(view: Uint8Array): boolean {
    const detached = this.closed || view.byteLength === 0 || this.#memory.detach(view)
    if (detached) this.#forgotten.unregister(view)
    return detached && !this.closed
  }

  /** Of a block that nobody can reach any more. */
  #release(offset: number): void {
    if (this.closed) return
    this.#heap.free(offset)
    logLine(4, 'free', `${offset}, forgotten`)
  }
}

/** Of the frequent calls, which are not announced before. */
function traced(place: string, message: string): void {
  logLine(3, place, 'called')
  logLine(4, place, message)
}

function allocate(place: string, told: readonly number[], call: () => number): number {
  const offset = attempt(place, call)
  if (logs(4)) logLine(4, place, `${told.join(', ')} → ${offset}`)
  return offset
}

function attempt<Result>(place: string, call: () => Result): Result {
  logLine(3, place, 'called')
  try {
    return call()
  } catch (error) {
    throw noted(place, error)
  }
}

async function attemptAsync<Result>(place: string, call: () => Promise<Result>): Promise<Result> {
  logLine(3, place, 'called')
  try {
    return await call()
  } catch (error) {
    throw noted(place, error)
  }
}

function isRange(offset: number, length: number, size: number): boolean {
  const counts = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
  return counts && offset + length <= size
}

function requireBytes(value: unknown): Buffer {
  if (!(value instanceof Uint8Array)) {
    throw noted('strdup', new RpmemError('ERR_ARGUMENT', 'the text must be a string or a Uint8Array'))
  }
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

function notCounts(): RpmemError {
  return new RpmemError('ERR_ARGUMENT', 'count and size are integers from 0 to 2^53 - 1')
}

function freedBefore(): RpmemError {
  return new RpmemError('ERR_HEAP_FREED', 'the Buffer was freed before')
}

function notHandedOut(): RpmemError {
  return new RpmemError('ERR_HEAP_POINTER', 'the Buffer was not handed out by this pool')
}

function outside(offset: number, length: number, size: number): RpmemError {
  const message = `offset ${offset} and length ${length} leave a pool of ${size} bytes`
  return new RpmemError('ERR_RANGE', message, { facts: { offset, length, size } })
}
