import { closeSync, ftruncateSync, openSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { alignUp, type ErrorCode, errno, pageSize, RpmemError } from '../core/index.js'
import {
  allocateFile,
  allocateFileSync,
  type HeapRegion,
  leastHeapSize,
  mappableSize,
  NativeHeap,
  NativeMemory,
  openUnnamedFile,
} from '../fabric-native/index.js'

/** The memory of a pool and the heap in it. */
export interface PoolMemory {
  readonly memory: NativeMemory
  readonly heap: NativeHeap
  /** Where the region of the heap begins in the memory. */
  readonly base: number
}

export interface FileSize {
  /** Bytes, reserved at once. */
  readonly size: number
  /** Up to which size the pool may grow; only addresses are reserved for that. */
  readonly maxSize: number
}

/** Rounded up to pages, as vmem_create(3) does. @throws ERR_HEAP_SIZE, ERR_ARGUMENT */
export function fileSize(size: unknown, maxSize: unknown = size): FileSize {
  const numbers = [size, maxSize].every(number => Number.isSafeInteger(number) && Number(number) >= 0)
  if (!numbers) throw new RpmemError('ERR_ARGUMENT', 'the sizes of a pool are integers from 0 to 2^53 - 1')
  const sizes = { size: alignUp(Number(size), pageSize), maxSize: alignUp(Number(maxSize), pageSize) }
  if (sizes.size < leastHeapSize || sizes.maxSize < sizes.size) {
    const message = `a pool of ${size} bytes is too small, or larger than it may become`
    throw new RpmemError('ERR_HEAP_SIZE', message, { facts: { ...sizes, least: leastHeapSize } })
  }
  return sizes
}

/** An unnamed file in the directory, all its space reserved, mapped, with a heap in it. */
export async function createInFile(directory: string, sizes: FileSize): Promise<PoolMemory> {
  const fd = openIn(directory)
  try {
    await allocateFile(fd, sizes.size)
    return mapFile(fd, sizes)
  } catch (cause) {
    throw notCreated(directory, cause)
  } finally {
    closeSync(fd)
  }
}

export function createInFileSync(directory: string, sizes: FileSize): PoolMemory {
  const fd = openIn(directory)
  try {
    allocateFileSync(fd, sizes.size)
    return mapFile(fd, sizes)
  } catch (cause) {
    throw notCreated(directory, cause)
  } finally {
    closeSync(fd)
  }
}

function openIn(directory: unknown): number {
  if (typeof directory !== 'string' || directory.includes('\0')) {
    throw new RpmemError('ERR_ARGUMENT', 'the directory of a pool is a path')
  }
  try {
    return openUnnamedFile(directory)
  } catch (cause) {
    throw notCreated(directory, cause)
  }
}

function mapFile(fd: number, { size, maxSize }: FileSize): PoolMemory {
  // Beyond `size` there is nothing yet, and nobody goes there before `grow` has reserved it.
  if (maxSize > size) ftruncateSync(fd, maxSize)
  const memory = NativeMemory.map([{ fd, offset: 0, length: maxSize }])
  return withHeap(memory, { size, capacity: maxSize, zeroed: true, fd })
}

/** Whether a path names a character device: a device DAX, or a mistake. */
export function isDevice(path: unknown): path is string {
  try {
    return typeof path === 'string' && statSync(path).isCharacterDevice()
  } catch {
    // Whatever is wrong with it shows when it is opened.
    return false
  }
}

/** The whole of a device DAX of at least this size. @throws ERR_VMEM_CREATE for anything else */
export async function createOnDevice(path: string, least = 0): Promise<PoolMemory> {
  const file = await open(path, 'r+').catch(cause => {
    throw notCreated(path, cause)
  })
  try {
    return mapDevice(path, file.fd, least)
  } finally {
    await file.close()
  }
}

export function createOnDeviceSync(path: string, least = 0): PoolMemory {
  const fd = openDevice(path)
  try {
    return mapDevice(path, fd, least)
  } finally {
    closeSync(fd)
  }
}

function openDevice(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (cause) {
    throw notCreated(path, cause)
  }
}

function mapDevice(path: string, fd: number, least: number): PoolMemory {
  const size = deviceSize(path, fd)
  if (size < least) {
    throw new RpmemError('ERR_HEAP_SIZE', `${path} has only ${size} bytes`, { facts: { path, size, least } })
  }
  return withHeap(NativeMemory.map([{ fd, offset: 0, length: size }]), { size })
}

function deviceSize(path: string, fd: number): number {
  let cause: unknown
  try {
    const { size, deviceDax } = mappableSize(fd)
    if (deviceDax) return size
  } catch (error) {
    cause = error
  }
  const details = { cause, facts: { path }, errno: errno.EINVAL }
  throw new RpmemError('ERR_VMEM_CREATE', `${path} is no device DAX`, details)
}

/** A region of the caller's memory, which stays the caller's; its content is lost. */
export function createInRegion(memory: unknown, offset: number, size: number | undefined): PoolMemory {
  if (!(memory instanceof NativeMemory)) {
    throw new RpmemError('ERR_ARGUMENT', 'the region of a pool lies in mapped memory (NativeMemory)')
  }
  const length = size ?? memory.size - offset
  // A handle of its own, so that closing the pool takes its own views away and no others.
  return withHeap(NativeMemory.attach(memory.share()), { offset, size: length })
}

function withHeap(memory: NativeMemory, region: HeapRegion): PoolMemory {
  try {
    return { memory, heap: NativeHeap.open(memory, region), base: region.offset ?? 0 }
  } catch (error) {
    memory.close()
    throw error
  }
}

/** By the names of node:fs. What has no code of its own keeps its errno. */
const codes: Readonly<Record<string, ErrorCode>> = { ENOSPC: 'ERR_DISK_FULL', EDQUOT: 'ERR_DISK_FULL' }

function notCreated(path: string, cause: unknown): unknown {
  if (cause instanceof RpmemError || !(cause instanceof Error) || !('errno' in cause) || !('code' in cause))
    return cause
  const code = codes[String(cause.code)] ?? 'ERR_VMEM_CREATE'
  const message = `a pool cannot be created in ${path}: ${cause.message}`
  return RpmemError.wrap(code, message, cause, { facts: { path }, errno: Math.abs(Number(cause.errno)) })
}
