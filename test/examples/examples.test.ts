import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { LoopbackNodes } from '../../cli/loopback-node.js'
import { ManagedArena } from '../../index.js'

const run = promisify(execFile)
const source = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const compiled = (name: string) => fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url))

/** A home directory whose ssh configuration leads to the loopback nodes, and the environment of a program that lives there. */
async function homeWithNodes(t: Test) {
  const home = t.testdir({})
  const nodes = await LoopbackNodes.start(home, ['node2'])
  t.teardown(() => nodes.close())
  mkdirSync(join(home, '.ssh'), { mode: 0o700 })
  const lines = [
    `Port ${nodes.port}`,
    `IdentityFile ${nodes.identityFile}`,
    `UserKnownHostsFile ${nodes.knownHostsFile}`,
  ]
  writeFileSync(join(home, '.ssh/config'), `Host 127.0.0.1\n${lines.map(line => `  ${line}\n`).join('')}`)
  const env = { ...process.env, HOME: home, SSH_AUTH_SOCK: '', RPMEM_SSH: '', RPMEM_CMD: 'rpmemd' }
  return { home, nodes, env }
}

t.test('the first program of the README is the example, word for word', async t => {
  t.ok(readFileSync(source('README.md'), 'utf8').includes(readFileSync(source('examples/counter.ts'), 'utf8')))
})

t.test('counter counts its runs on both replicas', { timeout: 60_000 }, async t => {
  const { home, nodes, env } = await homeWithNodes(t)
  const set = join(home, 'counter.set')
  writeFileSync(set, `PMEMPOOLSET\n8M ${home}/counter.part\nREPLICA node2@127.0.0.1 counter.set\n`)
  const remotePart = join(nodes.poolSetDir('node2'), 'counter.part')
  writeFileSync(join(nodes.poolSetDir('node2'), 'counter.set'), `PMEMPOOLSET\n8M ${remotePart}\n`)
  for (const count of [1, 2]) {
    const { stdout } = await run(process.execPath, [compiled('counter'), set], { env })
    t.match(stdout, new RegExp(`^run ${count}, durable on master, node2@127\\.0\\.0\\.1`))
  }
  t.equal(readFileSync(remotePart)[4096], 2)
})

t.test('remote-pool writes to a target, reads it back and removes it', { timeout: 60_000 }, async t => {
  const { nodes, env } = await homeWithNodes(t)
  const part = join(nodes.poolSetDir('node2'), 'remote.part')
  writeFileSync(join(nodes.poolSetDir('node2'), 'remote.set'), `PMEMPOOLSET\n8M ${part}\n`)
  const { stdout } = await run(process.execPath, [compiled('remote-pool'), 'node2@127.0.0.1', 'remote.set'], { env })
  t.match(stdout, /^2 lanes over tcp, GPSPM\n[\s\S]*the target has: hello\n$/)
  t.notOk(existsSync(part))
})

t.test('worker-threads shows what the workers wrote', { timeout: 60_000 }, async t => {
  const { home, nodes, env } = await homeWithNodes(t)
  const set = join(home, 'workers.set')
  const remotePart = join(nodes.poolSetDir('node2'), 'workers.part')
  const lines = [`8M ${home}/master`, 'REPLICA', `8M ${home}/mirror`, 'REPLICA node2@127.0.0.1 workers.set']
  writeFileSync(set, ['PMEMPOOLSET', ...lines, ''].join('\n'))
  writeFileSync(join(nodes.poolSetDir('node2'), 'workers.set'), `PMEMPOOLSET\n8M ${remotePart}\n`)
  const { stdout } = await run(process.execPath, [compiled('worker-threads'), set], { env })
  t.equal(stdout, 'marks of the workers: 1, 2, 3\n')
  for (const file of [join(home, 'mirror'), remotePart]) {
    const bytes = readFileSync(file)
    t.same(
      [0, 64, 128].map(at => bytes[4096 + at]),
      [1, 2, 3],
    )
  }
})

t.test('large-index answers from an index larger than the JavaScript heap', { timeout: 100_000 }, async t => {
  const program = ['--max-old-space-size=32', compiled('large-index'), t.testdir({}), '1200000']
  const { stdout } = await run(process.execPath, program)
  const [, index, heap] = /^index of (\d+) MiB, JavaScript heap of at most (\d+) MiB$/m.exec(stdout) ?? []
  t.ok(Number(index) > Number(heap), stdout)
  t.match(
    stdout,
    /^0: value of 0\n600000: value of 600000\n1199999: value of 1199999\n1200000: undefined\nconsistent: true$/m,
  )
})

/** Runs the example until it has read every word, and kills it before that whenever it has said some lines. */
async function indexWithKills(
  t: Test,
  words: number,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  let [kills, reached] = [0, 0]
  for (let last = ''; !last.startsWith('whole'); ) {
    const program = spawn(process.execPath, [compiled('ordered-index'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    })
    const exited = once(program, 'exit')
    let lines = 0
    for await (const line of createInterface({ input: program.stdout })) {
      if (line.startsWith('opened')) t.match(line, /in order: true, heap consistent: true$/)
      if (line.startsWith('checkpoint')) reached = Number(/: (\d+) of/.exec(line)?.[1])
      if (++lines === 3 + ((kills * 5) % 11) && reached < 0.8 * words) program.kill('SIGKILL')
      last = line
    }
    const [code, signal] = await exited
    if (signal === 'SIGKILL') kills++
    else if (code !== 0) throw new Error(`the example ended with ${code} after: ${last}`)
  }
  return kills
}

function wordsIn(folder: string, count: number): string[] {
  const words = Array.from({ length: count }, (_, index) => `word ${(index * 7919) % 1500}`)
  writeFileSync(join(folder, 'words'), words.join('\n'))
  return ['words', 'arena', 'log'].map(name => join(folder, name))
}

t.test('ordered-index is killed again and again and has every word in its order', { timeout: 120_000 }, async t => {
  const args = wordsIn(t.testdir({}), 1800)
  const kills = await indexWithKills(t, 1800, args, process.env)
  t.ok(kills > 5, `${kills} kills`)
  const { stdout } = await run(process.execPath, [compiled('ordered-index'), ...args])
  t.match(stdout, /^opened: 1500 words, in order: true, heap consistent: true\nwhole: 1500 words\n$/)
})

t.test('ordered-index is intact on its replica, however often it was killed', { timeout: 120_000 }, async t => {
  const { home, nodes, env } = await homeWithNodes(t)
  const set = join(nodes.poolSetDir('node2'), 'arena.set')
  writeFileSync(set, `PMEMPOOLSET\n64M ${join(nodes.poolSetDir('node2'), 'arena.part')}\n`)
  const kills = await indexWithKills(t, 1000, [...wordsIn(home, 1000), 'node2@127.0.0.1 arena.set'], env)
  t.ok(kills > 2, `${kills} kills`)
  const replica = await ManagedArena.promote(set)
  t.teardown(() => replica.close())
  t.equal(replica.root(1), 1000)
  t.ok(replica.check().consistent)
})
