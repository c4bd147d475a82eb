import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MiB, seededRandom, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool } from '../../initiator/index.js'
import { type RemoteNode, startRemoteNode } from '../fixture/remote-node.js'
import { processIsThere, within } from '../integration/process-end.js'

const seed = 20_261_120
const rounds = 3
const writer = fileURLToPath(new URL('./crash-writer.js', import.meta.url))
const attributes = { ...zeroAttributes(), signature: Buffer.from('CRASHING'), major: 1, uuid: Buffer.alloc(16, 1) }

async function nodeWithPool(t: Test): Promise<RemoteNode> {
  const node = await startRemoteNode(t)
  node.writeSet('c.set', 'PMEMPOOLSET\n8M PARTS/c\n')
  const memory = NativeMemory.anonymous(8 * MiB)
  const pool = await RemotePool.create(node.address, 'c.set', memory, { ...node.options, lanes: 1, attributes })
  await pool.close()
  memory.close()
  return node
}

interface Writer {
  readonly child: ChildProcess
  /** The last confirmed number, and what the writer said at its end. */
  readonly outcome: Promise<{ confirmed: number; farewell: string | undefined }>
}

/** Starts the writer; `at` is called once that many records are confirmed. */
function startWriter(node: RemoteNode, records: number, at: (child: ChildProcess) => void): Writer {
  const options = JSON.stringify({ ...node.options, lanes: 2 })
  const child = spawn(process.execPath, [writer, node.address, 'c.set', options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const read = async () => {
    let confirmed = 0
    let farewell: string | undefined
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('lost')) farewell = line
      else confirmed = Number(line)
      if (confirmed === records && farewell === undefined) at(child)
    }
    return { confirmed, farewell }
  }
  return { child, outcome: read() }
}

/** Every number that was confirmed, or a later one of the same place, is in the file. */
function missing(file: string, confirmed: number): number[] {
  const bytes = readFileSync(file)
  const numbers = Array.from({ length: confirmed }, (_, index) => index + 1)
  return numbers.filter(number => {
    const found = Number(bytes.readBigUInt64BE(4096 + (number % 1000) * 64))
    return found < number || found % 1000 !== number % 1000
  })
}

const moments = (): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: rounds }, () => 1 + ((random.bytes(1)[0] ?? 0) << 1))
}

t.test(`a daemon killed at random moments (seed ${seed}) keeps what it confirmed`, async t => {
  const node = await nodeWithPool(t)
  for (const records of moments()) {
    const { child, outcome } = startWriter(node, records, () => process.kill(node.daemon(), 'SIGKILL'))
    const ended = once(child, 'exit')
    const { confirmed, farewell } = await outcome
    t.match(farewell, /^lost ERR_(TARGET_LOST|DEADLINE)$/)
    t.same((await ended)[0], 0)
    t.same(missing(join(node.parts, 'c'), confirmed), [], `${confirmed} records`)
  }
})

t.test(`an initiator killed at random moments (seed ${seed}) leaves what was confirmed, and no daemon`, async t => {
  const node = await nodeWithPool(t)
  for (const records of moments()) {
    const { outcome } = startWriter(node, records, child => child.kill('SIGKILL'))
    const { confirmed } = await outcome
    t.ok(confirmed >= records)
    t.type(await within(5000, () => !processIsThere(node.daemon())), 'number', 'the daemon has ended')
    t.same(missing(join(node.parts, 'c'), confirmed), [], `${confirmed} records`)
  }
})
