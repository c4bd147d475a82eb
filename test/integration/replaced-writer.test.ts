import { join } from 'node:path'
import t from 'tap'
import { Pool } from '../../initiator/index.js'
import { promote } from '../../pool/index.js'
import { loadPoolSet } from '../../poolset/index.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { Child } from './child.js'
import { linesUntil } from './host-lab.js'
import { localSet, TargetHost } from './target-host.js'

t.test('a writer that was replaced while it slept with an open session writes nothing any more', async t => {
  const host = await TargetHost.start(t)
  const folder = temporaryFolder(t)
  const set = localSet(folder, `8M ${join(folder, 'master')}`, host.replica('x', [['8M', 'part']]))
  const child = (how: string, ...more: readonly string[]) =>
    new Child(t, 'hosts-child.js', [how, set, join(folder, 'expected'), JSON.stringify(host.options), ...more])
  const creating = child('create')
  t.equal(await creating.ended, 0, creating.errors)
  const writer = child('load', 'async')
  await linesUntil(writer, /^ready$/)
  const daemon = host.daemonOf('x')
  writer.process.kill('SIGSTOP')

  const copy = await loadPoolSet(host.part('x', 'x.set'))
  await t.rejects(promote(copy), { code: 'ERR_POOL_BUSY' }, 'as long as its session is open')
  process.kill(daemon, 'SIGKILL')
  t.not(await host.end(daemon), undefined)
  const { after } = await promote(copy)
  const successor = await Pool.open(copy, { alone: true })
  successor.memsetPersistSync(0, 0x5a, successor.size)
  await successor.close()
  const before = host.content('x', 'part')

  writer.process.kill('SIGCONT')
  const states = await linesUntil(writer, / refused$/)
  t.match(states.at(-1), / refused$/, writer.errors)
  t.ok(host.content('x', 'part').equals(before), 'not a byte was written')
  t.match(host.log(), /ERR_REPLICA_(AHEAD|DIVERGED)/, 'the target itself has refused it')
  t.ok(after.current.number >= 2)
})
