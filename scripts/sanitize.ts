import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { recordEvidence } from './evidence.js'

/**
 * Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the tree and runs the tests of the rooms
 * that use it: `npm run test:sanitize [-- TEST-FILE…]` (compiled, below dist/test). What the environment has in ASAN_OPTIONS
 * comes last and wins, for instance detect_leaks=1: off by default, because Node.js itself does not free everything at exit.
 */
const rooms = ['fabric-native', 'pool']
const tree = resolve('build/sanitize')
const secondsPerFile = 100
const secondsInAll = 230

function copyTree(): void {
  mkdirSync(tree, { recursive: true })
  rmSync(join(tree, 'dist'), { recursive: true, force: true })
  rmSync(join(tree, 'fabric-native'), { recursive: true, force: true })
  // Kept times let make skip what has not changed.
  const options = { recursive: true, preserveTimestamps: true }
  for (const name of ['binding.gyp', 'package.json', 'dist', 'fabric-native/src']) {
    cpSync(name, join(tree, name), options)
  }
  for (const name of ['node_modules', 'test']) {
    if (!existsSync(join(tree, name))) symlinkSync(resolve(name), join(tree, name))
  }
}

/** Not `rebuild`, which would throw away what make could keep. */
function buildAddon(): boolean {
  const prefix = dirname(dirname(process.execPath))
  const nodedir = existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
  return (
    gyp('configure', '--silent', ...nodedir, '--', '-Dsanitize=address,undefined') &&
    gyp('build', '--silent', '--jobs=max', ...nodedir)
  )
}

function gyp(...step: readonly string[]): boolean {
  const result = spawnSync('node-gyp', step, { cwd: tree, stdio: 'inherit', timeout: 300_000 })
  if (result.error) console.error(`node-gyp: ${result.error.message} (run this through npm)`)
  return result.status === 0
}

function testFiles(): string[] {
  if (process.argv.length > 2) return process.argv.slice(2)
  const folders = rooms.map(room => `dist/test/${room}`).filter(folder => existsSync(folder))
  return folders.flatMap(folder => readdirSync(folder).map(name => join(folder, name))).filter(isTest)
}

const isTest = (path: string) => path.endsWith('.test.js')

/** The sanitizer must be the first library of the process, whose executable was not built with it. */
function environment(): NodeJS.ProcessEnv {
  const library = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
  // SIGBUS is ours to handle; the children of the tests are to end by it as they would without a sanitizer.
  const asan = ['detect_leaks=0', 'handle_sigbus=0', 'allocator_may_return_null=1', process.env.ASAN_OPTIONS]
  return {
    ...process.env,
    LD_PRELOAD: library,
    ASAN_OPTIONS: asan.filter(Boolean).join(':'),
    UBSAN_OPTIONS: ['print_stacktrace=1', process.env.UBSAN_OPTIONS].filter(Boolean).join(':'),
  }
}

/** True if the file's tests pass; otherwise what it wrote is shown. */
function run(file: string, env: NodeJS.ProcessEnv, end: number): boolean {
  const started = performance.now()
  const result = spawnSync(process.execPath, [file], {
    cwd: tree,
    env,
    encoding: 'utf8',
    timeout: Math.max(1, Math.min(secondsPerFile * 1000, end - started)),
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  })
  const passed = result.status === 0
  console.log(`${passed ? 'ok' : 'not ok'} - ${file} # ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (!passed) {
    const failures = result.stdout.split('\n').filter(line => /^\s*not ok/.test(line))
    console.log([...failures, result.stderr.slice(-8000), `exit ${result.status ?? result.signal}`].join('\n'))
  }
  return passed
}

function main(): number {
  copyTree()
  if (!buildAddon()) return 1
  const env = environment()
  const files = testFiles()
  const started = performance.now()
  const end = started + secondsInAll * 1000
  const failed = files.filter(file => !run(file, env, end))
  recordEvidence({
    suite: 'sanitizers',
    claim: 'No test of the addon makes it touch memory that is not its own, or do what C++ leaves undefined',
    amount: { 'files passed': files.length - failed.length, 'files failed': failed.length },
    seeds: [],
    result: failed.length === 0 ? 'passed' : 'failed',
    seconds: (performance.now() - started) / 1000,
    again: 'npm run test:sanitize',
  })
  console.log(`${files.length - failed.length} files passed, ${failed.length} failed`)
  return files.length > 0 && failed.length === 0 ? 0 : 1
}

process.exitCode = main()
