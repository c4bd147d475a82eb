import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface NativeRun {
  readonly runs: number
  /** What the fuzzer wrote, and where the input lies that it found. */
  readonly failure?: { readonly text: string; readonly path: string }
}

const sources = 'test/fuzz/native'
const built = 'build/fuzz/native'
const sanitizers = ['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer']
const flags = ['-std=c++20', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-Ifabric-native/src', `-I${sources}`]

/** A line `// NAME: WORDS` at the head of a target. */
function headOf(name: string, key: string): string[] | undefined {
  const line = readFileSync(join(sources, `${name}.cc`), 'utf8').match(new RegExp(`^// ${key}:?(.*)$`, 'm'))
  return line?.[1]?.trim().split(/\s+/).filter(Boolean)
}

export const mustFail = (name: string): boolean => headOf(name, 'must-fail') !== undefined
/** Executions in CI, where a target is too slow for as many as the others. */
export const smokeRunsOf = (name: string): number | undefined => {
  const [runs] = headOf(name, 'smoke-runs') ?? []
  return runs === undefined ? undefined : Number(runs)
}

/** Compiles the target with the files of the addon that it names in its first line; throws what the compiler said. */
export function buildNative(name: string): void {
  mkdirSync(built, { recursive: true })
  const linked = headOf(name, 'links') ?? []
  const standIns = linked.includes('adapter') ? [join(sources, 'stand-in/stand-in-fabric.cc')] : []
  const files = [join(sources, `${name}.cc`), ...standIns, ...linked.map(file => `fabric-native/src/${file}.cc`)]
  const result = spawnSync('clang++', [...flags, ...sanitizers, ...files, '-lpmem2', '-o', join(built, name)], {
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(result.error?.message ?? result.stderr)
}

/** Runs libFuzzer on a copy of the corpus; `-runs` and `-max_total_time` as it knows them, 0 for no limit. */
export function runNative(name: string, seed: number, runs: number, seconds: number): NativeRun {
  const corpus = join(built, `${name}.corpus`)
  rmSync(corpus, { recursive: true, force: true })
  mkdirSync(corpus)
  const committed = corpusOf(name)
  if (existsSync(committed)) cpSync(committed, corpus, { recursive: true })
  const failures = 'build/fuzz/failures/'
  mkdirSync(failures, { recursive: true })
  const limits = [`-runs=${runs || -1}`, `-max_total_time=${seconds}`, '-max_len=2048', '-len_control=0', '-timeout=20']
  const places = [`-artifact_prefix=${failures}${name}-`, corpus]
  const result = spawnSync(join(built, name), [`-seed=${seed}`, ...limits, '-print_final_stats=1', ...places], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' },
  })
  const executed = Number(/number_of_executed_units: (\d+)/.exec(result.stderr)?.[1] ?? 0)
  if (result.status === 0) return { runs: executed }
  const path = /Test unit written to (\S+)/.exec(result.stderr)?.[1] ?? ''
  return { runs: executed, failure: { text: result.stderr.slice(-4000), path } }
}

/** What the last run found, without what the rest of it covers as well, in the place of the committed corpus. */
export function keepNative(name: string): number {
  const committed = corpusOf(name)
  rmSync(committed, { recursive: true, force: true })
  mkdirSync(committed, { recursive: true })
  spawnSync(join(built, name), ['-merge=1', committed, join(built, `${name}.corpus`)])
  return readdirSync(committed).length
}

const corpusOf = (name: string) => join('test/fuzz/corpus', name)
