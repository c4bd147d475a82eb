import t from 'tap'
import { RpmemError } from '../../core/index.js'
import { takeBack } from '../../pool/taking-back.js'

const full = new RpmemError('ERR_DISK_FULL', 'no space', { facts: { part: 'b' }, errno: 28 })

t.test('the error that an attempt ended with outlives whatever happens while it is taken back', async t => {
  const done: string[] = []
  const step = (name: string) => async () => done.push(name)
  const failing = (name: string) => async () => {
    done.push(name)
    throw new RpmemError('ERR_PART_IO', `cannot remove ${name}`)
  }
  t.equal(await takeBack(full, [step('a'), step('b')]), full, 'as it was where nothing is left')
  const told = await takeBack(full, [failing('c'), step('d'), failing('e')])
  t.match(told, {
    code: 'ERR_DISK_FULL',
    message: 'no space; not all that was made could be taken back',
    facts: { part: 'b', left: ['ERR_PART_IO: cannot remove c', 'ERR_PART_IO: cannot remove e'] },
    errno: 28,
    hint: full.hint,
  })
  t.same(done, ['a', 'b', 'c', 'd', 'e'], 'every step is tried')
})

t.test('what is no error of ours stays the very object that it was', async t => {
  const defect = new TypeError('a defect')
  t.equal(await takeBack(defect, [() => Promise.reject(new Error('another'))]), defect)
})
