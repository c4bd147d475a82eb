import { pageSize, seededRandom } from '../../core/index.js'
import { Arena } from '../../lpsm/index.js'
import { say } from '../fixture/say.js'

/** Pages of the arena that is written and killed. */
export const writerPages = 48

/** What checkpoint `sequence` stores: one number into some pages, another set for each. */
export function* storesOf(sequence: number): Generator<readonly [page: number, value: number]> {
  const dice = seededRandom(sequence).bytes(9)
  yield [0, sequence]
  for (const die of dice.subarray(0, 1 + ((dice[8] ?? 0) % 8))) yield [1 + (die % (writerPages - 1)), sequence]
}

/** Declares one checkpoint after the other, in every form, and says what is promised, until it is killed. */
async function write(data: string, log: string): Promise<void> {
  const arena = await Arena.open(data, log, { size: writerPages * pageSize, ratio: 0.5, keep: 2 })
  const view = arena.view(0, arena.size)
  const words = new DataView(view.buffer, view.byteOffset, view.length)
  for (let sequence = (arena.checkpoints.at(-1)?.sequence ?? 0) + 1; ; sequence++) {
    for (const [page, value] of storesOf(sequence)) {
      words.setUint32(page * pageSize, value)
      words.setUint32((page + 1) * pageSize - 4, value)
    }
    if (sequence % 3 === 0) arena.checkpointSync()
    else if (sequence % 3 === 1) await arena.checkpoint()
    else await arena.checkpoint({ wait: 'async' })
    say(sequence % 3 === 2 ? sequence - 1 : sequence)
  }
}

const [data, log] = process.argv.slice(2)
if (data !== undefined && log !== undefined && process.argv[1]?.endsWith('arena-writer.js')) await write(data, log)
