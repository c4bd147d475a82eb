import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { recordEvidence } from './evidence.js'
import { outcomeOf } from './tap-outcome.js'

/**
 * Runs the tests of the rooms on the oldest and the newest Node.js that we support, with the addon that is built already: one
 * binary serves them all. `npm run test:versions [-- VERSION…]`. The versions come as npm packages into build/node.
 */
const versions = ['20.17.0', '26.10.0']
const rooms = ['core', 'wire', 'poolset', 'fabric-native', 'pool']
/** Of the other rooms, what goes from end to end. */
const files = [
  'initiator/end-to-end',
  'initiator/remote-pool',
  'initiator/ssh-client',
  'target/process',
  'examples/examples',
]
const folder = resolve('build/node')

/** Path of that version's executable. */
function install(version: string): string {
  const place = join(folder, version)
  const node = join(place, 'node_modules', platformPackage, 'bin', 'node')
  if (existsSync(node)) return node
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'package.json'), '{ "private": true }\n')
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', [...words, `${platformPackage}@${version}`], { cwd: place, encoding: 'utf8' })
  if (!existsSync(node)) throw new Error(`${platformPackage}@${version}: ${result.stderr}`)
  return node
}

const platformPackage = `node-${process.platform}-${process.arch}`

function testFiles(): string[] {
  const all = rooms.flatMap(room => readdirSync(`dist/test/${room}`).map(name => `dist/test/${room}/${name}`))
  return [...all.filter(isTest), ...files.map(name => `dist/test/${name}.test.js`)]
}

/** Without the heap's own program, which knows nothing of Node.js. */
const isTest = (file: string) => file.endsWith('.test.js') && !file.includes('/heap-stress')

interface Tally {
  passed: number
  readonly failures: string[]
}

/** Runs the files, two at a time, each by itself. */
async function run(version: string, node: string): Promise<Tally> {
  const tally: Tally = { passed: 0, failures: [] }
  const waiting = testFiles()
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { passed, failures } = outcomeOf(await output(node, file))
      tally.passed += passed
      tally.failures.push(...failures.map(failure => `Node ${version}: ${file}: ${failure}`))
    }
  }
  await Promise.all([worker(), worker()])
  return tally
}

/** What the file's tests report; cut short, and thereby failed, after four minutes. */
function output(node: string, file: string): Promise<string> {
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, TAP_TIMEOUT: '220' }
  return new Promise(resolve => {
    execFile(node, [file], { env, timeout: 240_000, maxBuffer: 1 << 28 }, (_, stdout) => resolve(stdout))
  })
}

async function main(wanted: readonly string[]): Promise<number> {
  const started = performance.now()
  const all = wanted.length > 0 ? wanted : versions
  let [passed, failed] = [0, 0]
  for (const version of all) {
    const result = await run(version, install(version))
    passed += result.passed
    failed += result.failures.length
    for (const failure of result.failures) console.log(`not ok - ${failure}`)
    console.log(`${result.failures.length === 0 ? 'ok' : 'not ok'} - Node ${version}: ${result.passed} passed`)
  }
  recordEvidence({
    suite: 'node-versions',
    claim: `The rooms keep their sentences on Node ${all.join(' and ')}, with one and the same addon`,
    amount: { passed, failed, versions: all.length },
    seeds: ['those in the names of the tests'],
    result: failed === 0 ? 'passed' : 'failed',
    seconds: (performance.now() - started) / 1000,
    again: 'npm run test:versions',
  })
  return failed === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
