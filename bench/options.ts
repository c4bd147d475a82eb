import { parseArgs } from 'node:util'

/** What every benchmark takes. */
export interface BenchOptions {
  readonly json: string | undefined
  /** Fewer sizes and rounds: a look, not a measurement. */
  readonly quick: boolean
  /** Compare with the reach; the exit code says whether all of it holds. */
  readonly check: boolean
}

export const usage = `usage: npm run bench -- NAME [--json FILE] [--quick] [--check]

  checkpoint   commits of changed pages by an arena, beside LMDB and SQLite, and the search for changed pages
  heap         malloc and free in a volatile pool, beside Buffer's and two empty calls of the addon
  persist      one persist and many, over each provider, beside a plain TCP exchange
  replication  what keeping replicas costs a pool, well and degraded, and how fast one comes back

  --json FILE  writes one JSON object a line
  --quick      fewer sizes and rounds
  --check      compares with the reach and says PASS or FAIL a line; exit code 1 if any fails`

/** The name of the benchmark and its options; undefined where the command line is wrong. */
export function readOptions(argv: readonly string[]): { name: string; options: BenchOptions } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { json: { type: 'string' }, quick: { type: 'boolean' }, check: { type: 'boolean' } },
    })
    const [name] = positionals
    if (name === undefined || positionals.length > 1) return undefined
    return { name, options: { json: values.json, quick: values.quick ?? false, check: values.check ?? false } }
  } catch {
    return undefined
  }
}
