import { randomBytes } from 'node:crypto'
import { type ErrorCode, errno, RpmemError } from '../core/index.js'
import { loadBinding, type NativeBinding } from './binding.js'
import type { CopyOptions, DurabilityMethod, FilePiece, Memory } from './memory.js'
import { copyFlags, type MemoryHandle, status } from './memory-binding.js'
import {
  isRange,
  maxViewLength,
  notBytes,
  notNumbers,
  outside,
  poisoned,
  refused,
  requireNumbers,
  tooLong,
  truncated,
} from './memory-error.js'
import { isNativeFailure, systemError } from './native-failure.js'

/** Proof, good for this process only, that its bearer may attach to a memory; can be posted to a worker thread. */
export type MemoryToken = string

/**
 * Memory mapped through libpmem2 (libpmem2(7), pmem2_map_new(3)). Flushed ranges are made durable by the drain of the same
 * mapping, whichever thread drains; persist includes what was flushed before it, as pmemobj_persist(3) does.
 *
 * | method | flush | drain | deep persist |
 * | --- | --- | --- | --- |
 * | dax | cache lines | fence | pmem2_deep_flush(3) |
 * | msync | remembers the pages | msync(2) of their union | the same: msync already reaches the disk and flushes its cache |
 * | volatile | nothing | fence | the same |
 *
 * One object belongs to one thread; `share` and `attachMemory` bring the memory to others.
 */
export class NativeMemory implements Memory {
  readonly method: DurabilityMethod
  #size: number
  readonly #native: NativeBinding
  readonly #handle: MemoryHandle
  #failure: RpmemError | undefined

  private constructor(native: NativeBinding, handle: MemoryHandle) {
    this.#native = native
    this.#handle = handle
    const { size, method } = native.describeMemory(handle)
    this.#size = size
    this.method = method
  }

  /**
   * Pieces of files as one contiguous range, in the order given. The method is that of the weakest piece.
   * @param reservation bytes of address space to be kept for this memory, so that `extend` finds room behind the pieces
   * @throws ERR_MAP with the system error; nothing stays mapped
   */
  static map(pieces: readonly FilePiece[], reservation = 0): NativeMemory {
    return NativeMemory.#open('ERR_MAP', 'the parts cannot be mapped', native =>
      native.mapFiles(pieces, reservation, false),
    )
  }

  /** As `map`, but stores stay with this memory: the files are only read. Its method is `volatile`. */
  static mapPrivately(pieces: readonly FilePiece[], reservation = 0): NativeMemory {
    return NativeMemory.#open('ERR_MAP', 'the file cannot be mapped', native =>
      native.mapFiles(pieces, reservation, true),
    )
  }

  /** Memory without a file, filled with zeros; its method is `volatile`. `size` is at least 1. */
  static anonymous(size: number): NativeMemory {
    const what = `${size} bytes of anonymous memory cannot be mapped`
    return NativeMemory.#open('ERR_MAP', what, native => native.mapAnonymous(size))
  }

  /**
   * The memory that another thread of this process shared, with views of its own.
   * @throws ERR_CLOSED if its owner has closed it meanwhile, or the token was never given out
   */
  static attach(token: MemoryToken): NativeMemory {
    const what = 'no open memory was shared under this token'
    return NativeMemory.#open('ERR_CLOSED', what, native => native.attachMemory(token))
  }

  static #open(code: ErrorCode, what: string, open: (native: NativeBinding) => MemoryHandle): NativeMemory {
    const native = loadBinding()
    try {
      return new NativeMemory(native, open(native))
    } catch (cause) {
      if (!isNativeFailure(cause)) throw cause
      throw RpmemError.wrap(code, what, systemError(cause), { errno: cause.code })
    }
  }

  /** The tagged handle, for the other half of the addon. */
  get handle(): MemoryHandle {
    return this.#handle
  }

  /** Bytes; grows with `extend`. In a thread that attached: what there was at that moment. */
  get size(): number {
    return this.#size
  }

  /**
   * More pieces behind the last one, inside the reservation; views stay as they are. All pieces or none.
   * @throws ERR_MAP: no room is left, or the pieces would be made durable in a weaker way than the others
   */
  extend(pieces: readonly FilePiece[]): void {
    try {
      this.#native.extendMemory(this.#handle, pieces)
    } catch (cause) {
      if (!isNativeFailure(cause)) throw cause
      if (cause.code === errno.EBADF && this.closed) throw new RpmemError('ERR_CLOSED', 'the memory was closed')
      throw RpmemError.wrap('ERR_MAP', 'the memory cannot grow', systemError(cause), { errno: cause.code })
    }
    this.#size = this.#native.describeMemory(this.#handle).size
  }

  get closed(): boolean {
    return this.#native.memoryClosed(this.#handle)
  }

  get failure(): RpmemError | undefined {
    const code = this.#failure === undefined ? this.#native.memoryFailure(this.#handle) : 0
    if (code !== 0) this.#failure = code === errno.EIO ? poisoned() : truncated()
    return this.#failure
  }

  view(offset: number, length: number): Uint8Array {
    this.read(offset, nothing)
    requireNumbers(offset, length)
    if (!isRange(offset, length, this.size)) throw outside(offset, length, this.size)
    if (length > maxViewLength) throw tooLong(length)
    if (length === 0) return new Uint8Array(0)
    return new Uint8Array(this.#guard(() => this.#native.viewMemory(this.#handle, offset, length)))
  }

  /**
   * Makes a view that `view` returned empty, and everything else over its ArrayBuffer, before this memory is closed. Work of
   * others on it in another thread (an asynchronous read, a compression) must have ended. False if it could not be done.
   */
  detach(view: Uint8Array): boolean {
    return this.#native.detachView(this.#handle, view.buffer, transfer)
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(this.#native.read(this.#handle, offset, into), offset, into?.length)
  }

  flush(offset: number, length: number): void {
    this.#check(this.#native.flush(this.#handle, offset, length), offset, length)
  }

  drain(): void {
    this.#check(this.#native.drain(this.#handle), 0, 0)
  }

  persist(offset: number, length: number): void {
    this.#check(this.#native.persist(this.#handle, offset, length), offset, length)
  }

  deepPersist(offset: number, length: number): void {
    this.#check(this.#native.deepPersist(this.#handle, offset, length), offset, length)
  }

  copyIn(offset: number, source: Uint8Array, options?: CopyOptions): void {
    this.#check(this.#native.copyIn(this.#handle, offset, source, flagsOf(options)), offset, source?.length)
  }

  move(to: number, from: number, length: number, options?: CopyOptions): void {
    const outcome = this.#native.move(this.#handle, to, from, length, flagsOf(options))
    this.#check(outcome, isRange(to, length, this.size) ? from : to, length)
  }

  fill(offset: number, byte: number, length: number, options?: CopyOptions): void {
    this.#check(this.#native.fill(this.#handle, offset, byte, length, flagsOf(options)), offset, length)
  }

  copyFrom(other: Memory, offset: number, length: number, options?: CopyOptions): void {
    if (!(other instanceof NativeMemory)) {
      this.copyIn(offset, other.view(offset, length), options)
      return
    }
    const outcome = this.#native.copyFrom(this.#handle, other.#handle, offset, length, flagsOf(options))
    if (outcome === status.sourceFailed && other.failure !== undefined) throw other.failure
    this.#check(outcome, offset, length)
  }

  /**
   * Lets `attachMemory` in another thread of this process find the memory as long as it is open here.
   * After close() of this object the others get ERR_CLOSED; the memory stays mapped until the last has closed.
   */
  share(): MemoryToken {
    const token = randomBytes(32).toString('hex')
    this.#guard(() => this.#native.shareMemory(this.#handle, token))
    return token
  }

  /** Detaches every view and releases the files. What was not persisted may not be durable. Idempotent. Source: pmem2_map_delete(3). */
  close(): void {
    this.#native.closeMemory(this.#handle, transfer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  #check(outcome: number, offset: number, length: number): void {
    if (outcome !== status.done) throw this.#explain(outcome, offset, length)
  }

  #explain(outcome: number, offset: number, length: number): RpmemError {
    if (outcome > 0) return this.#refused(outcome, offset, length)
    switch (outcome) {
      case status.closed:
        return new RpmemError('ERR_CLOSED', 'the memory was closed')
      case status.outside:
        return outside(offset, length, this.size)
      case status.poisoned:
        return this.failure ?? poisoned()
      case status.truncated:
        return this.failure ?? truncated()
      case status.notBytes:
        return notBytes()
      case status.notANumber:
        return notNumbers()
      default:
        return new RpmemError('ERR_ARGUMENT', 'the other memory is not usable', { facts: { outcome } })
    }
  }

  /** The storage refused just now: this call tells why, later ones that the memory is poisoned since. */
  #refused(code: number, offset: number, length: number): RpmemError {
    const error = refused(code, offset, length)
    this.#failure ??= poisoned(error)
    return error
  }

  #guard<Result>(call: () => Result): Result {
    try {
      return call()
    } catch (cause) {
      if (isNativeFailure(cause) && cause.code === errno.EBADF)
        throw new RpmemError('ERR_CLOSED', 'the memory was closed')
      throw isNativeFailure(cause) ? RpmemError.wrap('ERR_ARGUMENT', cause.message, systemError(cause)) : cause
    }
  }
}

/** Attaches to the memory that another thread of this process shared; see NativeMemory.attach. */
export const attachMemory = (token: MemoryToken): NativeMemory => NativeMemory.attach(token)

const nothing = new Uint8Array(0)

/** Detaches a buffer in engines that have it (Node 21 and later), and throws where napi_detach_arraybuffer would abort. */
const transfer: unknown = Reflect.get(ArrayBuffer.prototype, 'transfer')

function flagsOf(options: CopyOptions | undefined): number {
  if (options === undefined) return 0
  return (options.noFlush === true ? copyFlags.noFlush : 0) | (options.noDrain === true ? copyFlags.noDrain : 0)
}
