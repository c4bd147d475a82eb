import { loadBinding, type NativeBinding } from './binding.js'
import { heapStatus, longResult, register, shortRegister } from './heap-binding.js'

/** The frequent functions of all heaps of this thread. Each answers an offset or size, or one of `heapStatus`. */
export interface HeapDesk {
  malloc(seat: number, size: number): number
  calloc(seat: number, size: number): number
  realloc(seat: number, offset: number, size: number): number
  alignedAlloc(seat: number, alignment: number, size: number): number
  free(seat: number, offset: number): number
  usableSize(seat: number, offset: number): number
}

let desk: HeapDesk | undefined

/** Of this thread: each has its own instance of this module. */
export function heapDesk(): HeapDesk {
  desk ??= openDesk(loadBinding())
  return desk
}

/**
 * Closures over constants and no class: the engine then knows the registers and the functions when it compiles, which halves
 * what is lost between a caller and the heap.
 */
function openDesk(native: NativeBinding): HeapDesk {
  const buffer = native.heapRegisters()
  const registers = new Float64Array(buffer)
  const words = new Uint32Array(buffer)
  const { heapMallocShort, heapFreeShort } = native

  const long = (call: () => void, seat: number, first: number, second: number): number => {
    if (typeof first !== 'number' || typeof second !== 'number') return heapStatus.wrongArgument
    words[shortRegister.seat] = seat
    registers[register.first] = first
    registers[register.second] = second
    call()
    return registers[register.result] as number
  }
  return {
    malloc(seat, size) {
      if (typeof size !== 'number' || size >>> 0 !== size) return long(native.heapMalloc, seat, size, 0)
      words[shortRegister.seat] = seat
      words[shortRegister.first] = size
      heapMallocShort()
      const result = words[shortRegister.result] as number
      return result === longResult ? (registers[register.result] as number) : result
    },
    free(seat, offset) {
      if (typeof offset !== 'number' || offset >>> 0 !== offset) return long(native.heapFree, seat, offset, 0)
      words[shortRegister.seat] = seat
      words[shortRegister.first] = offset
      heapFreeShort()
      const result = words[shortRegister.result] as number
      return result === longResult ? (registers[register.result] as number) : result
    },
    calloc: (seat, size) => long(native.heapCalloc, seat, size, 0),
    realloc: (seat, offset, size) => long(native.heapRealloc, seat, offset, size),
    alignedAlloc: (seat, alignment, size) => long(native.heapAlignedAlloc, seat, alignment, size),
    usableSize: (seat, offset) => long(native.heapUsableSize, seat, offset, 0),
  }
}
