import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { CommandRotation, removeCommand, sessionCommand } from '../../initiator/remote-command.js'

t.test('commands are used in turn', async t => {
  const rotation = new CommandRotation(['a', 'b'])
  t.same([rotation.take(), rotation.take(), rotation.take()], ['a', 'b', 'a'])
})

t.test('a session adds one word', async t => t.equal(sessionCommand('rpmemd -t 2'), 'rpmemd -t 2 negotiate'))

t.test('plain names travel as librpmem sends them', async t => {
  t.equal(removeCommand('rpmemd', 'dir/a-b.set', {}), 'rpmemd --remove dir/a-b.set')
  t.equal(
    removeCommand('rpmemd', 'a.set', { force: true, removePoolSet: true }),
    'rpmemd --remove a.set --force --pool-set',
  )
  t.equal(removeCommand('rpmemd', '-f', {}), 'rpmemd --remove ./-f')
})

t.test('a shell gives back every name as one word', async t => {
  const names = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 40 })
    .filter(name => !/[\0\n\r]/.test(name) && Buffer.from(name).toString() === name)
  fc.assert(
    fc.property(names, name => {
      const command = removeCommand('rpmemd', name, {}).replace('rpmemd', String.raw`printf '%s\n'`)
      const out = execFileSync('sh', ['-c', command], { encoding: 'utf8' })
      return out === `--remove\n${name.startsWith('-') ? './' : ''}${name}\n`
    }),
    { seed: 3, numRuns: 60 },
  )
  for (const name of ["'; touch x; '", '$(x)', '`x`', 'a b', '!x', '\\']) t.match(removeCommand('r', name, {}), /'/)
})

t.test('names that no line can hold are refused', async t => {
  for (const name of ['', 'a\nb', 'a\0b', 'a\rb'])
    t.throws(() => removeCommand('r', name, {}), { code: 'ERR_ARGUMENT' })
})
