import { ManagedArena } from '../../lpsm/index.js'
import { say } from '../fixture/say.js'
import { SlotTable } from './slot-table.js'

/** Steps and checkpoints until it is killed; says the step of each checkpoint that is durable. Arguments: data, log, seed. */
const [, , data = '', log = '', seed = ''] = process.argv
const arena = await ManagedArena.open(data, log, { size: 2 * 1024 * 1024, ratio: 0.2 })
const table = new SlotTable(arena, Number(seed))
for (;;) {
  const step = table.advance()
  if (step % 3 === 0) arena.checkpointSync()
  else await arena.checkpoint()
  say(step)
}
