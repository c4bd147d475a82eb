import { loadBinding, type NativeBinding } from './binding.js'
import { heapStatus, register, shortRegister } from './heap-binding.js'

/**
 * The frequent functions of all heaps of this thread. Each answers an offset or size below 2^31, one of `heapStatus`, or
 * `longResult`, which sends to the function of that name.
 */
export interface HeapDesk {
  malloc(seat: number, size: number): number
  calloc(seat: number, size: number): number
  realloc(seat: number, offset: number, size: number): number
  alignedAlloc(seat: number, alignment: number, size: number): number
  free(seat: number, offset: number): number
  usableSize(seat: number, offset: number): number
  /** What the last call found, if it was as large as that. */
  longResult(): number
}

let desk: HeapDesk | undefined

/** Of this thread: each has its own instance of this module. */
export function heapDesk(): HeapDesk {
  desk ??= openDesk(loadBinding())
  return desk
}

/**
 * Closures over constants of their own, no class and nothing imported: the engine then knows places and functions when it
 * compiles. Short results stay apart from long ones, or it would make a double of each. All of it halves what is lost between a
 * caller and the heap.
 */
function openDesk(native: NativeBinding): HeapDesk {
  const buffer = native.heapRegisters()
  const registers = new Float64Array(buffer)
  const words = new Int32Array(buffer)
  const { heapMallocShort, heapFreeShort } = native
  const { seat: seatAt, first: firstAt, result: resultAt } = shortRegister

  const long = (call: () => void, seat: number, first: number, second: number): number => {
    if (typeof first !== 'number' || typeof second !== 'number') return heapStatus.wrongArgument
    words[seatAt] = seat
    registers[register.first] = first
    registers[register.second] = second
    call()
    return words[resultAt] as number
  }
  return {
    malloc(seat, size) {
      if (typeof size !== 'number' || (size | 0) !== size || size < 0) return long(native.heapMalloc, seat, size, 0)
      words[seatAt] = seat
      words[firstAt] = size
      heapMallocShort()
      return words[resultAt] as number
    },
    free(seat, offset) {
      if (typeof offset !== 'number' || (offset | 0) !== offset || offset < 0)
        return long(native.heapFree, seat, offset, 0)
      words[seatAt] = seat
      words[firstAt] = offset
      heapFreeShort()
      return words[resultAt] as number
    },
    calloc: (seat, size) => long(native.heapCalloc, seat, size, 0),
    realloc: (seat, offset, size) => long(native.heapRealloc, seat, offset, size),
    alignedAlloc: (seat, alignment, size) => long(native.heapAlignedAlloc, seat, alignment, size),
    usableSize: (seat, offset) => long(native.heapUsableSize, seat, offset, 0),
    longResult: () => registers[register.result] as number,
  }
}
