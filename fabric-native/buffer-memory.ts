import type { CopyOptions, DurabilityMethod, Memory } from './memory.js'
export class BufferMemory implements Memory {
  readonly size: number
  readonly method: DurabilityMethod = 'volatile'
  closed = false
  readonly failure = undefined
  #b: Uint8Array
  constructor(size: number) {
    this.size = size
    this.#b = new Uint8Array(size)
  }
  view(o: number, l: number) {
    return this.#b.subarray(o, o + l)
  }
  read(o: number, into: Uint8Array) {
    into.set(this.#b.subarray(o, o + into.length))
  }
  flush() {}
  drain() {}
  persist() {}
  deepPersist() {}
  copyIn(o: number, s: Uint8Array, _?: CopyOptions) {
    this.#b.set(s, o)
  }
  move(to: number, from: number, l: number) {
    this.#b.copyWithin(to, from, from + l)
  }
  fill(o: number, byte: number, l: number) {
    this.#b.fill(byte, o, o + l)
  }
  copyFrom(other: Memory, o: number, l: number) {
    other.read(o, this.view(o, l))
  }
  close() {
    this.closed = true
  }
}
