import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { pageSize, type Random, seededRandom } from '../../core/index.js'
import { Arena } from '../../lpsm/index.js'
import { arenaBed } from './arena-bed.js'
import { storesOf, writerPages } from './arena-writer.js'

t.setTimeout(3_600_000)

const seed = Number(process.env.RPMEM_TEST_SEED ?? 20_261_128)
const kills = Number(process.env.RPMEM_TEST_KILLS ?? 100)
const writer = fileURLToPath(new URL('arena-writer.js', import.meta.url))

/** Lets a writer go on for a random number of checkpoints, and at once kills it; the last that it said was promised. */
async function killLater(child: ChildProcess, random: Random): Promise<number> {
  const [die = 0] = random.bytes(1)
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const ended = once(child, 'exit')
  let promised = 0
  let count = 0
  for await (const line of lines) {
    promised = Number(line)
    if (count++ === die % 64) child.kill('SIGKILL')
  }
  const [, signal] = await ended
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself after ${promised}`)
  return promised
}

/** What each page holds after a checkpoint, going on from what it held at an earlier one. */
function advance(pages: number[], from: number, to: number): void {
  for (let sequence = from + 1; sequence <= to; sequence++) {
    for (const [page, value] of storesOf(sequence)) pages[page] = value
  }
}

t.test(
  `seed ${seed}: a writer is killed ${kills} times, and each time its arena is at a checkpoint that was promised or the next`,
  async t => {
    const bed = arenaBed(t)
    const random = seededRandom(seed)
    const expected = new Array<number>(writerPages).fill(0)
    let at = 0
    for (let kill = 1; kill <= kills; kill++) {
      const child = spawn(process.execPath, [writer, bed.data, bed.log], { stdio: ['ignore', 'pipe', 'inherit'] })
      const promised = await killLater(child, random)
      const arena = await Arena.openCheckpoint(bed.data, bed.log)
      const { sequence } = arena
      advance(expected, at, sequence)
      at = sequence
      const view = arena.view(0, writerPages * pageSize)
      const words = new DataView(view.buffer, view.byteOffset, view.length)
      const wrong = expected.findIndex(
        (value, page) =>
          words.getUint32(page * pageSize) !== value || words.getUint32((page + 1) * pageSize - 4) !== value,
      )
      arena.close()
      if (sequence < promised) t.fail(`kill ${kill}: at checkpoint ${sequence}, but ${promised} was promised`)
      if (wrong >= 0) t.fail(`kill ${kill}: page ${wrong} is not that of checkpoint ${sequence}`)
    }
    t.ok(at > kills, `${at} checkpoints`)
  },
)
