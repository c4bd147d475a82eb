import { deepEqual } from 'node:assert/strict'
import { hasCode } from '../../core/index.js'
import { type Frame, Framer, type FrameShape } from '../../wire/index.js'

/** Bytes up to the first violation as frames; the first byte of the input says in which pieces the rest arrives. */
export function framesOf(shape: FrameShape, input: Uint8Array): Frame[] {
  const framer = new Framer(shape)
  const frames: Frame[] = []
  const size = Math.max(1, input[0] ?? 1)
  return unlessViolated(() => {
    for (let at = 1; at < input.length; at += size)
      framer.push(input.subarray(at, at + size), frame => frames.push(frame))
    framer.end()
  }, frames)
}

/** What a reader makes of the frame must come out the same after it was written and read once more. */
export function readsBack<M>(
  frame: Uint8Array,
  read: (bytes: Uint8Array) => M,
  write: (message: M) => Uint8Array,
): void {
  const message = unlessViolated(() => read(frame))
  if (message !== undefined) deepEqual(read(write(message)), message)
}

/** The result; `otherwise` for ERR_PROTOCOL. Everything else that is thrown is a failure. */
export function unlessViolated<T>(act: () => T): T | undefined
export function unlessViolated<T>(act: () => unknown, otherwise: T): T
export function unlessViolated<T>(act: () => unknown, otherwise?: T): unknown {
  try {
    return act() ?? otherwise
  } catch (error) {
    if (hasCode(error, 'ERR_PROTOCOL')) return otherwise
    throw error
  }
}

/** Seeds of a framed stream: as one piece, and byte by byte. */
export const cut = (bytes: Uint8Array): Uint8Array[] => [255, 1].map(size => new Uint8Array([size, ...bytes]))
