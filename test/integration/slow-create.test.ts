import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Clock, MiB, systemClock, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool } from '../../initiator/index.js'
import { Preloaded } from '../fixture/preloaded.js'
import { processIsThere, within } from './process-end.js'
import { TargetHost } from './target-host.js'

/** A real daemon that is held up in the middle of a create, until the test lets it go on. */
async function stalledHost(t: Test) {
  const host = await TargetHost.start(t)
  const stall = join(host.folder, 'stall')
  execFileSync('mkfifo', [stall])
  const { library } = new Preloaded(t, 'stalled-allocation.c')
  const command = host.script('slow-rpmemd', [`export STALL='${stall}' LD_PRELOAD='${library}'`])
  host.replica('a', [['8M', 'part']])
  const memory = NativeMemory.anonymous(8 * MiB)
  t.teardown(() => memory.close())
  const create = (clock?: Clock) =>
    RemotePool.create(host.address, 'a/x.set', memory, {
      ...host.options,
      ...{ command, lanes: 2, ...(clock && { clock }) },
      attributes: { ...zeroAttributes(), signature: new Uint8Array(8).fill(65), uuid: new Uint8Array(16).fill(1) },
    })
  return { host, create, held: () => writerOf(t, stall) }
}

/** The writing end, which can be had only when the daemon has opened the other. */
async function writerOf(t: Test, fifo: string): Promise<number> {
  let fd = -1
  const tryOpen = () => {
    try {
      fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch {
      return false
    }
    return true
  }
  t.not(await within(20_000, tryOpen), undefined, 'the daemon is in the middle of its create')
  return fd
}

t.test('a daemon that stands still while it creates a pool is lost, long before the deadline of the step', async t => {
  const { host, create, held } = await stalledHost(t)
  const outcome = t.rejects(create(), {
    code: 'ERR_TARGET_LOST',
    durability: 'unknown',
    cause: { code: 'ERR_DEADLINE' },
  })
  const writer = await held()
  const [pid] = host.daemons() as [number]
  process.kill(pid, 'SIGSTOP')
  await outcome
  process.kill(pid, 'SIGCONT')
  closeSync(writer)
  t.not(
    await within(10_000, () => !processIsThere(pid)),
    undefined,
    'once it goes on, the daemon finds that it is alone',
  )
  t.strictSame(host.parts('a'), [], 'and takes back what it has created')
})

t.test('a daemon that takes long to create a pool but answers pings is waited for', async t => {
  const { create, held } = await stalledHost(t)
  let rounds = 0
  let enough = () => {}
  const waited = new Promise<void>(resolve => {
    enough = resolve
  })
  // More rounds of the watchdog than a silent target would be given.
  const counting: Clock = {
    nowMs: () => systemClock.nowMs(),
    after(delayMs, callback, holds) {
      if (delayMs === 500 && ++rounds === 9) enough()
      return systemClock.after(delayMs, callback, holds)
    },
  }
  const creating = create(counting)
  const writer = await held()
  await waited
  closeSync(writer)
  const pool = await creating
  pool.persistSync(4096, 64)
  await pool.close()
})
