import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ConnectOptions, Fabric, ProviderName } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import { targetOf } from '../../initiator/remote-pool-options.js'
import { SshConnector } from '../../initiator/remote-replica.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { targetBed } from './target-bed.js'

/** A pool created with these variables and options, and what reached the shell and the fabric. */
async function created(
  t: Test,
  variables: Readonly<Record<string, string>>,
  options: Partial<RemotePoolCreateOptions> = {},
) {
  const bed = await targetBed(t)
  const probed: ProviderName[] = []
  let connected: ConnectOptions | undefined
  const fabric: Fabric = {
    ...bed.options.fabric,
    listen: request => bed.options.fabric.listen(request),
    probe(providers) {
      probed.push(...providers)
      return bed.options.fabric.probe(['tcp'], {})
    },
    connect(request) {
      connected = request
      return bed.options.fabric.connect(request)
    },
  }
  const { lanes: _, ...rest } = bed.options
  const environment = readEnvironment(variables)
  const all = { ...rest, fabric, environment, ...options }
  const pool = await RemotePool.create('me@node2', 'single.set', bed.memory, all)
  await pool.close()
  return { command: bed.shell.commands[0], probed, connected, lanesRequested: pool.lanesRequested }
}

t.test('RPMEM_CMD names the remote command, and the option wins', async t => {
  const variables = { RPMEM_CMD: 'here/rpmemd' }
  t.equal((await created(t, variables)).command, 'here/rpmemd negotiate')
  t.equal((await created(t, variables, { command: 'there/rpmemd' })).command, 'there/rpmemd negotiate')
})

t.test('RPMEM_SSH names the client, and the option wins', async t => {
  const environment = readEnvironment({ RPMEM_SSH: 'my-ssh' })
  const external = (options = {}) => targetOf('me@node2', { environment, ...options }).shell
  t.match(external(), { external: true, name: 'me@node2 by my-ssh' })
  t.match(external({ ssh: { program: 'other-ssh' } }), { external: true, name: 'me@node2 by other-ssh' })
  t.match(external({ ssh: { program: '' } }), { external: false })
})

t.test('RPMEM_ENABLE_SOCKETS and RPMEM_ENABLE_VERBS allow providers, and the options win', async t => {
  const swapped = { RPMEM_ENABLE_SOCKETS: '1', RPMEM_ENABLE_VERBS: '0' }
  t.same((await created(t, {})).probed, ['verbs', 'tcp'])
  t.same((await created(t, swapped)).probed, ['tcp', 'sockets'])
  t.same((await created(t, swapped, { transport: { verbs: true, sockets: false } })).probed, ['verbs', 'tcp'])
  t.same((await created(t, {}, { transport: { verbs: false, sockets: true } })).probed, ['tcp', 'sockets'])
})

t.test('RPMEM_MAX_NLANES bounds the lanes asked for, and the option wins', async t => {
  const variables = { RPMEM_MAX_NLANES: '3' }
  t.equal((await created(t, variables)).lanesRequested, 3)
  t.equal((await created(t, variables, { lanes: 2 })).lanesRequested, 2, 'a bound is no wish')
  t.equal((await created(t, variables, { lanes: 5 })).lanesRequested, 3)
  t.equal((await created(t, variables, { lanes: 5, maxLanes: 4 })).lanesRequested, 4)
})

t.test('RPMEM_WORK_QUEUE_SIZE is asked of the fabric, and the option wins', async t => {
  const variables = { RPMEM_WORK_QUEUE_SIZE: '70' }
  t.equal((await created(t, {})).connected?.workQueueSize, undefined)
  t.equal((await created(t, variables)).connected?.workQueueSize, 70)
  t.equal((await created(t, variables, { workQueueSize: 80 })).connected?.workQueueSize, 80)
})

t.test('RPMEM_LOG_LEVEL and RPMEM_LOG_FILE make the log, and the options win', async t => {
  const folder = temporaryFolder(t)
  const [theirs, ours] = [join(folder, 'theirs'), join(folder, 'ours')]
  await created(t, { RPMEM_LOG_LEVEL: '1', RPMEM_LOG_FILE: theirs })
  t.notOk(existsSync(theirs), 'there was no error to tell')
  await created(t, { RPMEM_LOG_LEVEL: '1', RPMEM_LOG_FILE: theirs }, { logLevel: 'info', logFile: ours })
  t.notOk(existsSync(theirs))
  t.ok(existsSync(ours))
  await created(t, { RPMEM_LOG_LEVEL: '2', RPMEM_LOG_FILE: theirs })
  t.ok(existsSync(theirs))
})

t.test('numbers that no librpmem would take are refused', async t => {
  const { create } = await targetBed(t)
  for (const name of ['lanes', 'maxLanes', 'workQueueSize'])
    for (const value of [0, -1, 1.5, Number.NaN, 2 ** 32])
      await t.rejects(create('single.set', { [name]: value }), { code: 'ERR_ARGUMENT', errno: 22 }, `${name} ${value}`)
})

t.test('several commands serve the REPLICA lines in the order of the pool set', async t => {
  const options = { environment: readEnvironment({ RPMEM_CMD: 'x|y' }) }
  const commandsOf = async (own: { command?: string | readonly string[] }) => {
    const { shell, memory, options: rest } = await targetBed(t)
    const connector = new SshConnector({ ...rest, ...options, ...own })
    const request = (set: string) => ({ node: 'me@node2', set, memory, size: memory.size })
    const opened = await Promise.allSettled(['p.set', 'q.set', 'r.set'].map(set => connector.open(request(set))))
    for (const outcome of opened) t.match(outcome, { reason: { code: 'ERR_POOLSET_MISSING' } })
    return shell.commands.map(command => command.replace(' negotiate', ''))
  }
  t.same(await commandsOf({}), ['x', 'y', 'x'])
  t.same(await commandsOf({}), ['y', 'x', 'y'], 'one turn for the whole program')
  t.same(await commandsOf({ command: ['a', 'b', 'c'] }), ['a', 'b', 'c'])
  t.same(await commandsOf({ command: 'a|b' }), ['a|b', 'a|b', 'a|b'], 'an option is taken as it stands')
})
