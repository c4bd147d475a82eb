import type { Receipt } from '../../pool/index.js'
import type { SimTarget } from './sim-target.js'

const wordSize = 8

/** A wrong deed of the system, seen from outside. */
export class Violation extends Error {}

/**
 * What the program has stored and what it was told. Every word of 8 bytes holds the number of the write that stored it, so that a
 * copy can be judged: it must not hold an older number than one that was acknowledged for it.
 */
export class History {
  /** By word: the youngest write that the program was promised, on the master. */
  readonly #promised: Uint32Array
  #writes = 0
  acknowledged = 0

  constructor(size: number) {
    this.#promised = new Uint32Array(size / wordSize)
  }

  get writes(): number {
    return this.#writes
  }

  /** Fills the range with the number of a new write. */
  store(view: Uint8Array): number {
    const number = ++this.#writes
    const words = new DataView(view.buffer, view.byteOffset, view.byteLength)
    for (let at = 0; at < view.length; at += wordSize) words.setUint32(at, number)
    return number
  }

  /** The program was told that this write is safe on these replicas: now is the moment to look at their disks. */
  acknowledge(offset: number, length: number, write: number, receipt: Receipt, targets: readonly SimTarget[]): void {
    this.acknowledged++
    this.#promise(offset, length, write)
    for (const { name, level } of receipt.replicas) {
      const target = targets.find(one => one.name === name)
      if (!target || level === 'none') continue
      const found = oldest(target.memory.afterPowerFailure(), offset, length)
      if (found < write) throw new Violation(`${name} was named for write ${write} at ${offset}, its disk has ${found}`)
    }
  }

  /** Rejected, but the master is said to have it. */
  promiseLocally(offset: number, length: number, write: number): void {
    this.#promise(offset, length, write)
  }

  /** Whatever was promised is on this disk, or something younger. */
  check(bytes: Uint8Array, who: string): void {
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const [word, promised] of this.#promised.entries()) {
      const found = words.getUint32(word * wordSize)
      if (found < promised)
        throw new Violation(`${who} has write ${found} at ${word * wordSize}, ${promised} was promised`)
    }
  }

  #promise(offset: number, length: number, write: number): void {
    const first = offset / wordSize
    for (let word = first; word < first + length / wordSize; word++) {
      this.#promised[word] = Math.max(this.#promised[word] ?? 0, write)
    }
  }
}

function oldest(bytes: Uint8Array, offset: number, length: number): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let least = Number.POSITIVE_INFINITY
  for (let at = offset; at < offset + length; at += wordSize) least = Math.min(least, words.getUint32(at))
  return least
}
