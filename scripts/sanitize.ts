import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { recordEvidence } from './evidence.js'

/**
 * Builds the addon with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer in a copy of the tree and runs the tests of
 * the rooms that use it: `npm run test:sanitize [-- TEST-FILE…]` (compiled, below dist/test). First an addon that is
 * wrong on purpose must be noticed. What the environment has in ASAN_OPTIONS comes last and wins.
 */
const rooms = ['fabric-native', 'pool', 'vmem']
const tree = resolve('build/sanitize')
const secondsPerFile = 120
const secondsInAll = 900

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
  const result = spawnSync('node-gyp', step, { cwd: tree, stdio: 'inherit', timeout: 900_000 })
  if (result.error) console.error(`node-gyp: ${result.error.message} (run this through npm)`)
  return result.status === 0
}

function testFiles(): string[] {
  if (process.argv.length > 2) return process.argv.slice(2)
  const folders = rooms.map(room => `dist/test/${room}`).filter(folder => existsSync(folder))
  return folders.flatMap(folder => readdirSync(folder).map(name => join(folder, name))).filter(isTest)
}

/**
 * Without the heap's own program, which its tests build with every sanitizer themselves, and without the count of how many blocks
 * fit, which a sanitizer only slows down.
 */
const isTest = (path: string) => path.endsWith('.test.js') && !/heap-stress|vmem.capacity/.test(path)

const reports = join(tree, 'reports')

/**
 * The sanitizer must be the first library of the process, whose executable was not built with it. What it has to say goes to
 * files, and leaks do not change an exit code: Node.js, and the compilers and shells that some tests start, do not free everything.
 */
function environment(): NodeJS.ProcessEnv {
  const sanitizer = execFileSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
  const suppressions = resolve('test/fixture/leak-suppressions.txt')
  const leakCheck = join(tree, 'leak-check.so')
  execFileSync('g++', ['-x', 'c', '-shared', '-fPIC', '-o', leakCheck, 'test/fixture/leak-check.c'])
  // SIGBUS is ours to handle; the children of the tests are to end by it as they would without a sanitizer.
  const asan = [
    'handle_sigbus=0',
    'allocator_may_return_null=1',
    // Of a leak so many callers are told: what the addon has asked for, and not what JavaScript did that it called.
    'malloc_context_size=6',
    `log_path=${reports}/report`,
    process.env.ASAN_OPTIONS,
  ]
  return {
    ...process.env,
    // A sanitizer takes its time, on a busy machine most of all.
    TAP_TIMEOUT: `${secondsPerFile}`,
    LD_PRELOAD: `${sanitizer}:${leakCheck}`,
    ASAN_OPTIONS: asan.filter(Boolean).join(':'),
    // The variables of threads that are just ending cannot be read, and the attempt ends the check.
    LSAN_OPTIONS: `leak_check_at_exit=0:use_tls=0:print_suppressions=0:suppressions=${suppressions}`,
    UBSAN_OPTIONS: ['print_stacktrace=1', process.env.UBSAN_OPTIONS].filter(Boolean).join(':'),
  }
}

/** What the processes since the last call have reported: errors of any kind, and leaks that the addon has to answer for. */
function takeReports(): string[] {
  const texts = readdirSync(reports).map(name => readFileSync(join(reports, name), 'utf8'))
  emptyReports()
  return texts.flatMap(text => {
    const ours = text
      .split('\n\n')
      .filter(block => block.includes(' leak of ') && /fabric-native\/|planted-errors/.test(block))
    return /ERROR: AddressSanitizer|runtime error:|fatal error/.test(text) ? [text] : ours
  })
}

function emptyReports(): void {
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
}

/** True if what an addon forgets is told, and what it overwrites. */
function seesPlanted(env: NodeJS.ProcessEnv): boolean {
  return (['leak', 'overflow'] as const).every(kind => {
    const program = `require('./build/Release/planted_errors.node').${kind}()`
    spawnSync(process.execPath, ['-e', program], { cwd: tree, env })
    const seen = takeReports().some(text => /100 byte\(s\)|heap-buffer-overflow/.test(text))
    console.log(`${seen ? 'ok' : 'not ok'} - a planted ${kind} is seen`)
    return seen
  })
}

/** True if the file's tests pass and no process of theirs was complained of; otherwise what they wrote is shown. */
function run(file: string, env: NodeJS.ProcessEnv, end: number): boolean {
  const started = performance.now()
  const result = spawnSync(process.execPath, [file], {
    cwd: tree,
    env,
    encoding: 'utf8',
    timeout: Math.ceil(Math.max(1, Math.min(secondsPerFile * 1000, end - started))),
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
  })
  const complaints = takeReports()
  const passed = result.status === 0 && complaints.length === 0
  console.log(`${passed ? 'ok' : 'not ok'} - ${file} # ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (passed) return true
  const failures = result.stdout.split('\n').filter(line => /^\s*not ok/.test(line))
  const exit = `exit ${result.status ?? result.signal}`
  console.log([...failures, ...complaints, result.stderr, exit].map(text => text.slice(0, 8000)).join('\n'))
  return false
}

function main(): number {
  copyTree()
  if (!buildAddon()) return 1
  const env = environment()
  const files = testFiles()
  const started = performance.now()
  const end = started + secondsInAll * 1000
  emptyReports()
  const plantedIsSeen = seesPlanted(env)
  const failed = files.filter(file => !run(file, env, end))
  const passed = plantedIsSeen && failed.length === 0
  recordEvidence({
    suite: 'sanitizers',
    claim:
      'No test of the addon makes it touch memory that is not its own, forget memory, or do what C++ leaves undefined',
    amount: { 'files passed': files.length - failed.length, 'files failed': failed.length },
    seeds: [],
    result: passed ? 'passed' : 'failed',
    seconds: (performance.now() - started) / 1000,
    again: 'npm run test:sanitize',
  })
  console.log(`${files.length - failed.length} files passed, ${failed.length} failed`)
  return files.length > 0 && passed ? 0 : 1
}

process.exitCode = main()
