import fc from 'fast-check'
import t from 'tap'
import { MiB } from '../../core/index.js'
import type { Vmem } from '../../vmem/index.js'
import { poolBeds } from './pool-bed.js'

interface Known {
  offset: number
  size: number
  readonly alignment: number
  mark: number
}

/** What a heap is, as a list: blocks that do not overlap and keep their content. */
class Model {
  readonly blocks: Known[] = []
  readonly vmem: Vmem
  #marks = 0

  constructor(vmem: Vmem) {
    this.vmem = vmem
  }

  add(offset: number, size: number, alignment = 1): void {
    const block = { offset, size, alignment, mark: 0 }
    if (this.blocks.some(other => overlap(other, block))) throw new Error(`${offset}, ${size} overlaps`)
    if (offset <= 0 || offset + size > this.vmem.size) throw new Error(`${offset}, ${size} leaves the pool`)
    if ((this.vmem.skew + offset) % alignment !== 0) throw new Error(`${offset} is not aligned to ${alignment}`)
    this.blocks.push(block)
    this.mark(block)
  }

  mark(block: Known): void {
    block.mark = (this.#marks++ % 255) + 1
    this.vmem.view(block.offset, block.size).fill(block.mark)
  }

  requireContent(block: Known, size = block.size): void {
    const at = this.vmem.view(block.offset, size).findIndex(byte => byte !== block.mark)
    if (at >= 0) throw new Error(`the block at ${block.offset} was disturbed at ${at}`)
  }

  pick(index: number): Known | undefined {
    return this.blocks[index % Math.max(1, this.blocks.length)]
  }

  drop(block: Known): void {
    this.blocks.splice(this.blocks.indexOf(block), 1)
  }

  requireAll(): void {
    for (const block of this.blocks) this.requireContent(block)
    const { findings } = this.vmem.check()
    if (findings.length > 0) throw new Error(`check: ${findings[0]?.what} at ${findings[0]?.offset}`)
    const { classes, large } = this.vmem.stats()
    const live = classes.reduce((sum, each) => sum + each.live, large.live)
    if (live !== this.blocks.length) throw new Error(`${live} blocks are live, not ${this.blocks.length}`)
  }
}

const overlap = (one: Known, other: Known) =>
  one.offset < other.offset + Math.max(1, other.size) && other.offset < one.offset + Math.max(1, one.size)

type Step = (model: Model) => void

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 4096 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 * MiB }) },
)
const index = fc.nat(1000)

/** Exhaustion is an ordinary result: nothing happens then. */
function unlessExhausted(step: () => void): void {
  try {
    step()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_HEAP_EXHAUSTED')) throw error
  }
}

const malloc = size.map(
  (bytes): Step =>
    model =>
      unlessExhausted(() => model.add(model.vmem.mallocOffset(bytes), bytes)),
)

const calloc = size.map(
  (bytes): Step =>
    model =>
      unlessExhausted(() => {
        const offset = model.vmem.callocOffset(1, bytes)
        if (model.vmem.view(offset, bytes).some(byte => byte !== 0)) throw new Error(`calloc of ${bytes} is not zero`)
        model.add(offset, bytes)
      }),
)

const aligned = fc.tuple(fc.integer({ min: 0, max: 22 }), size).map(
  ([power, bytes]): Step =>
    model =>
      unlessExhausted(() => model.add(model.vmem.alignedAllocOffset(2 ** power, bytes), bytes, 2 ** power)),
)

const free = index.map(
  (at): Step =>
    model => {
      const block = model.pick(at)
      if (!block) return
      model.requireContent(block)
      model.vmem.freeOffset(block.offset)
      model.drop(block)
    },
)

const realloc = fc.tuple(index, size).map(
  ([at, bytes]): Step =>
    model =>
      unlessExhausted(() => {
        const block = model.pick(at)
        if (!block || bytes === 0) return
        const offset = model.vmem.reallocOffset(block.offset, bytes)
        model.requireContent({ ...block, offset }, Math.min(block.size, bytes))
        model.drop(block)
        model.add(offset, bytes)
      }),
)

const doubleFree = index.map(
  (at): Step =>
    model => {
      const block = model.pick(at)
      if (!block) return
      model.vmem.freeOffset(block.offset)
      model.drop(block)
      try {
        model.vmem.freeOffset(block.offset)
      } catch {
        return
      }
      throw new Error('a block was freed twice')
    },
)

const trim = fc.constant<Step>(model => {
  model.vmem.trim()
})

const step = fc.oneof(
  { weight: 8, arbitrary: malloc },
  { weight: 2, arbitrary: calloc },
  { weight: 2, arbitrary: aligned },
  { weight: 7, arbitrary: free },
  { weight: 4, arbitrary: realloc },
  { weight: 1, arbitrary: doubleFree },
  { weight: 1, arbitrary: trim },
)

const seed = Number(process.env.RPMEM_TEST_SEED ?? 20261121)

for (const bed of poolBeds) {
  for (const poolSize of [MiB, 14 * MiB]) {
    t.test(
      `any history leaves blocks apart and whole: ${bed.name} pool of ${poolSize} bytes, seed ${seed}`,
      async t => {
        const outcome = fc.check(
          fc.property(fc.array(fc.array(step, { maxLength: 40 }), { maxLength: 8 }), batches => {
            const model = new Model(bed.open(t, poolSize))
            for (const batch of batches) {
              for (const each of batch) each(model)
              model.requireAll()
            }
            model.vmem.closeSync()
          }),
          { seed, numRuns: 40 },
        )
        t.equal(
          outcome.failed,
          false,
          `${outcome.errorInstance} path ${outcome.counterexamplePath}, seed ${outcome.seed}`,
        )
      },
    )
  }
}
