import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { BranchCoverage } from './branch-coverage.js'
import { readInputs } from './corpus.js'
import { Exploration } from './exploration.js'
import type { FuzzTarget } from './fuzz-target.js'
import { instrument } from './instrumentation.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const names = readdirSync(join(root, 'dist/test/fuzz/targets'))
  .filter(name => name.endsWith('.js'))
  .map(name => name.slice(0, -3))

for (const name of names) {
  const { target } = (await import(`./targets/${name}.js`)) as { target: FuzzTarget }
  if (target.mustFail) continue
  t.test(`${name}: what was found before still holds`, async t => {
    const inputs = [...target.seeds, ...readInputs(join(root, 'test/fuzz/corpus', name))]
    t.ok(inputs.length > 1, 'there are inputs')
    for (const input of inputs) {
      const held = await Promise.resolve(target.run(input)).then(
        () => true,
        error => error,
      )
      if (held !== true) t.fail(Buffer.from(input).toString('base64'), { error: held })
    }
  })
}

const program = `
export function classify(values) {
  const found = []
  for (const value of values) if (value > 1) { found.push(value > 10 ? 'large' : 'small') } else found.push(value && 'one')
  let turns = 0
  do turns++; while (turns < 3)
  switch (turns) { case 3: found.push(\`turns\`); case 4: found.push('fell'); break; default: found.push('never') }
  if (turns) if (turns > 5) found.push('no'); else found.push('yes')
  try { JSON.parse('{') } catch { found.push((() => ({ deep: values?.length ?? 0 }))().deep) }
  return found
}
export class Counter { #n = 1; constructor() { this.next = () => this.#n++ } get value() { return this.#n || -1 } }
`

t.test('a program with counters does the same as without, and the branches it took can be told', async t => {
  const load = (source: string) => import(`data:text/javascript,${encodeURIComponent(source)}`)
  const { source, counters, literals } = instrument(program, 0)
  const [plain, counted] = [await load(program), await load(source)]
  const shared = Reflect.get(globalThis, 'rpmemBranchCounters') as Uint8Array
  shared.fill(0)
  const coverage = new BranchCoverage(shared.subarray(0, counters))
  for (const values of [[], [0, 1], [2, 20, 200]]) t.same(counted.classify(values), plain.classify(values))
  const twice = [new counted.Counter(), new plain.Counter()].map(counter => [
    counter.next(),
    counter.next(),
    counter.value,
  ])
  t.same(twice[0], twice[1])
  t.equal(source.split('\n').length, program.split('\n').length, 'on the same lines')
  t.ok(coverage.take() > 15, 'most branches were taken')
  t.equal(coverage.take(), 0, 'and are known from then on')
  const taken = [...shared.subarray(0, counters)]
  t.ok(taken.includes(0), 'some were not')
  for (const word of ['large', 'small', 'turns']) t.ok(literals.includes(word), word)
})

t.test('an exploration with the same seed runs the same inputs', async t => {
  const run = async (seed: number) => {
    const inputs: string[] = []
    const coverage = new BranchCoverage(new Uint8Array(64))
    const onInput = (input: Uint8Array) => inputs.push(Buffer.from(input).toString('hex'))
    const target: FuzzTarget = { claim: '', seeds: [], run() {} }
    const goesOn = (runs: number) => runs < 200
    await new Exploration({
      target,
      coverage,
      seed,
      corpus: [Uint8Array.of(1, 2, 3)],
      onInput,
      words: () => [],
      goesOn,
    }).explore()
    return inputs
  }
  t.same(await run(7), await run(7))
  t.notSame(await run(7), await run(8))
})

t.test('a failure is told with its input, cut down to what it needs', async t => {
  const target: FuzzTarget = {
    claim: '',
    seeds: [],
    run(input) {
      if (input.includes(0x41)) throw new RangeError('an A')
    },
  }
  const { failure } = await new Exploration({
    target,
    coverage: new BranchCoverage(new Uint8Array(64)),
    seed: 3,
    corpus: [new Uint8Array(100).fill(0x40)],
    onInput: () => {},
    words: () => [],
    goesOn: runs => runs < 100_000,
  }).explore()
  t.same(failure?.input, Uint8Array.of(0x41))
  t.match(failure?.error, { message: 'an A' })
})
