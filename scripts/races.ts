import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { recordEvidence } from './evidence.js'

/**
 * Runs lane engine, target service and memory under ThreadSanitizer: `npm run test:races [-- SEED]`. Node.js itself is not built
 * with it, so the programs of test/races use the C++ of the addon without Node.js. libfabric is the system's.
 */
const built = 'build/races'
const flags = ['-std=c++20', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=thread']
const includes = ['-Ifabric-native/src', '-Itest/fuzz/native']
const addon = 'fabric-native/src'
/** Includes of Node.js, directly or by another file of the addon. */
function needsNode(name: string): boolean {
  const text = readFileSync(join(addon, name), 'utf8')
  const ours = [...text.matchAll(/^#include "(.+)"$/gm)].map(([, header]) => header ?? '')
  return /^#include <(napi|node_api)\.h>$/m.test(text) || ours.some(needsNode)
}
const sources = readdirSync(addon)
  .filter(name => name.endsWith('.cc') && !name.startsWith('psm') && !needsNode(name))
  .map(name => join(addon, name))
const tests = 'test/races'
const programs: readonly { readonly name: string; readonly rounds: number; readonly mustFail?: boolean }[] = [
  { name: 'planted-race', rounds: 0, mustFail: true },
  { name: 'memory', rounds: 3000 },
  { name: 'changed-pages', rounds: 3000 },
  { name: 'lanes', rounds: 150 },
]
const exitCode = 66

const objectOf = (source: string) => join(built, `${basename(source, '.cc')}.o`)

/** Two at a time, as the machines of CI have two processors. */
async function compile(files: readonly string[]): Promise<void> {
  const waiting = [...files]
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const child = spawn('clang++', [...flags, ...includes, '-c', file, '-o', objectOf(file)], { stdio: 'inherit' })
      const [code] = await once(child, 'exit')
      if (code !== 0) throw new Error(`${file} does not compile`)
    }
  }
  await Promise.all([worker(), worker()])
}

function link(name: string): string {
  const path = join(built, name)
  const objects = [...sources, `${tests}/${name}.cc`].map(objectOf)
  const { status } = spawnSync('clang++', ['-fsanitize=thread', ...objects, '-lpmem2', '-ldl', '-o', path], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`${name} does not link`)
  return path
}

/** The sanitizer wants its shadow where a kernel may put something else at random. */
const fixedAddresses = (): string[] => (spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [])

function run(path: string, seed: number, rounds: number): { code: number; text: string; operations: number } {
  const [command = '', ...words] = [...fixedAddresses(), path, `${seed}`, `${rounds}`]
  const options = [`suppressions=${tests}/suppressions.txt`, `exitcode=${exitCode}`, process.env.TSAN_OPTIONS]
  const result = spawnSync(command, words, {
    encoding: 'utf8',
    timeout: 240_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, TSAN_OPTIONS: options.filter(Boolean).join(':') },
  })
  const operations = Number(result.stdout.trimEnd().split('\n').at(-1)) || 0
  return { code: result.status ?? -1, text: result.stderr.slice(0, 8000), operations }
}

async function main(seed: number): Promise<number> {
  const started = performance.now()
  mkdirSync(built, { recursive: true })
  const files = readdirSync(tests).filter(name => name.endsWith('.cc'))
  await compile([...sources, ...files.map(name => `${tests}/${name}`)])
  let [failed, operations] = [0, 0]
  for (const { name, rounds, mustFail } of programs) {
    const result = run(link(name), seed, rounds)
    const passed = result.code === (mustFail ? exitCode : 0)
    if (!passed) failed++
    operations += result.operations
    console.log(`${passed ? 'ok' : 'not ok'} - ${name}, seed ${seed}: ${result.operations} operations`)
    if (!passed) console.log(`${result.text}\nexit ${result.code}`)
  }
  recordEvidence({
    suite: 'races',
    claim: 'ThreadSanitizer finds no race in lane engine, target service and shared memory, and a planted one is found',
    amount: { operations, programs: programs.length, failed },
    seeds: [seed],
    result: failed === 0 ? 'passed' : 'failed',
    seconds: (performance.now() - started) / 1000,
    again: 'npm run test:races',
  })
  return failed === 0 ? 0 : 1
}

process.exitCode = await main(Number(process.argv[2] ?? 20261121))
