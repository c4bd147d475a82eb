import t from 'tap'
import { pageSize, seededRandom } from '../../core/index.js'
import { judge } from './crash-verdict.js'
import type { FileName } from './journal.js'
import { finalFiles, record } from './workload.js'

const seeds = [11, 12, 13]

/** The files of an arena that was closed, what its checkpoints held, and which is the newest. */
async function closedArena(seed: number) {
  const recording = await record(seededRandom(seed), { steps: 8 })
  const files = finalFiles(recording)
  const verdict = judge(files, recording.contents)
  if (!('sequence' in verdict)) throw new Error(verdict.wrong)
  return { files, contents: recording.contents, newest: verdict.sequence }
}

for (const name of ['data', 'log'] as const satisfies readonly FileName[]) {
  for (const seed of seeds) {
    t.test(`seed ${seed}: a byte of the ${name} file that changed is found, or belongs to nothing`, async t => {
      const { files, contents, newest } = await closedArena(seed)
      const random = seededRandom(seed)
      const unlike: string[] = []
      let found = 0
      for (let at = 0; at < files[name].length; at += 13) {
        const bytes = files[name].slice()
        bytes[at] = (bytes[at] ?? 0) ^ (1 << ((random.bytes(1)[0] ?? 0) % 8))
        const verdict = judge({ ...files, [name]: bytes }, contents)
        if ('sequence' in verdict) {
          if (verdict.sequence !== newest) unlike.push(`${at}: opened at ${verdict.sequence} instead of ${newest}`)
        } else if (verdict.code === 'ERR_ARENA_DAMAGED' || verdict.code === 'ERR_ARENA_FOREIGN') found++
        else unlike.push(`${at}: ${verdict.wrong}`)
      }
      t.same(unlike, [])
      t.ok(found > 100, `${found} were found`)
    })
  }

  t.test(`a ${name} file that was cut off anywhere is found`, async t => {
    const { files, contents, newest } = await closedArena(11)
    const unlike: string[] = []
    for (let size = 0; size < files[name].length; size += 511) {
      const verdict = judge({ ...files, [name]: files[name].slice(0, size) }, contents)
      if ('sequence' in verdict && verdict.sequence !== newest) unlike.push(`${size}: opened at ${verdict.sequence}`)
      if ('wrong' in verdict && verdict.code === undefined) unlike.push(`${size}: ${verdict.wrong}`)
      if (name === 'data' && 'sequence' in verdict) unlike.push(`${size}: opened`)
    }
    t.same(unlike, [])
  })
}

t.test('an older copy of either file beside the newer other one is found', async t => {
  const { journal, initial, contents } = await record(seededRandom(21), { steps: 30 })
  const states = [10, 20, 30].map(part => {
    const events = journal.events.slice(0, Math.floor((journal.events.length * part) / 30))
    return finalFiles({ journal: { events, add: () => {} }, initial, contents } as never)
  })
  const [old, , newest] = states
  if (!old || !newest) throw new Error('there are three states')
  t.not(old.data.length + pageSize, 0)
  for (const files of [
    { data: old.data, log: newest.log },
    { data: newest.data, log: old.log },
  ]) {
    t.match(judge(files, contents), { code: /ERR_ARENA_(DAMAGED|FOREIGN)/ })
  }
})
