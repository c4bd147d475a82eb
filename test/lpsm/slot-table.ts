import { createHash } from 'node:crypto'
import type { ManagedArena } from '../../lpsm/index.js'

/** What a slot holds after a step: so many bytes, each of which `byteAt` gives. */
export interface SlotContent {
  readonly size: number
  readonly salt: number
}

type Slots = (SlotContent | undefined)[]

const slotCount = 48

/** One step of a program that nothing but seed and number decide: which slot gets what. */
function stepOf(seed: number, step: number): { slot: number; content: SlotContent | undefined } {
  const words = createHash('sha256').update(`${seed}/${step}`).digest()
  const slot = words.readUInt32LE(0) % slotCount
  if (words.readUInt8(4) < 80) return { slot, content: undefined }
  const scale = scales[words.readUInt8(5) % scales.length] as number
  return { slot, content: { size: 1 + (words.readUInt32LE(8) % scale), salt: step & 0xff } }
}

/** Greatest sizes, the small ones more often. */
const scales = [64, 64, 64, 3000, 3000, 20_000, 20_000, 300_000]

/** The slots after this many steps, told without an arena. */
export function slotsAfter(seed: number, steps: number): Slots {
  const slots: Slots = Array.from({ length: slotCount })
  for (let step = 1; step <= steps; step++) {
    const { slot, content } = stepOf(seed, step)
    slots[slot] = content
  }
  return slots
}

const byteAt = (salt: number, index: number): number => (salt + index * 7) & 0xff

/**
 * A table of blocks in a managed arena. Root 0 leads to a block of offsets and sizes, a pair a slot; root 1 counts the steps.
 */
export class SlotTable {
  readonly #arena: ManagedArena
  readonly #seed: number

  constructor(arena: ManagedArena, seed: number) {
    this.#arena = arena
    this.#seed = seed
    if (arena.root(0) === 0) arena.setRoot(0, arena.zallocOffset(slotCount * 16))
  }

  get steps(): number {
    return this.#arena.root(1)
  }

  /** By malloc, free, realloc and zalloc; no checkpoint. */
  advance(): number {
    const step = this.steps + 1
    const { slot, content } = stepOf(this.#seed, step)
    const table = this.#table()
    const before = table[2 * slot] as number
    const place = content === undefined ? this.#free(before) : this.#allocate(before, content)
    table.set([place, content?.size ?? 0], 2 * slot)
    this.#arena.setRoot(1, step)
    return step
  }

  /** What is not as the steps have left it; undefined if all is well. */
  mistake(): string | undefined {
    const { consistent, findings } = this.#arena.check()
    if (!consistent) return findings.map(({ offset, what }) => `${what} (${offset})`).join('; ')
    const expected = slotsAfter(this.#seed, this.steps)
    const slot = expected.findIndex((content, index) => !this.#holds(index, content))
    const { large, classes } = this.#arena.allocStats()
    const live = classes.reduce((sum, each) => sum + each.live, large.live)
    const blocks = 1 + expected.filter(content => content !== undefined).length
    if (slot >= 0) return `slot ${slot} after step ${this.steps}`
    return live === blocks ? undefined : `${live} blocks live instead of ${blocks}`
  }

  #holds(slot: number, content: SlotContent | undefined): boolean {
    const [place = 0, size] = this.#table().subarray(2 * slot)
    if (content === undefined) return place === 0
    return size === content.size && this.#arena.view(place, size).every((byte, at) => byte === byteAt(content.salt, at))
  }

  #free(place: number): number {
    this.#arena.freeOffset(place)
    return 0
  }

  #allocate(before: number, { size, salt }: SlotContent): number {
    const place =
      before === 0 && salt % 2 === 0 ? this.#arena.zallocOffset(size) : this.#arena.reallocOffset(before, size)
    const bytes = this.#arena.view(place, size)
    for (let at = 0; at < size; at++) bytes[at] = byteAt(salt, at)
    return place
  }

  #table(): Float64Array {
    const { buffer, byteOffset } = this.#arena.view(this.#arena.root(0), slotCount * 16)
    return new Float64Array(buffer, byteOffset, slotCount * 2)
  }
}
