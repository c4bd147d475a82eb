import t, { type Test } from 'tap'
import { attributesEqual, type LogLevel, MiB } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { ConnectOptions } from '../../fabric-native/index.js'
import { type Environment, RemotePool, readEnvironment } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { attributes, poolSize, type TargetBed, targetBed } from './target-bed.js'

const pattern = (length: number, start = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + start) & 0xff)

async function held(pool: RemotePool, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  await pool.read(offset, bytes)
  return bytes
}

for (const dialect of ['rpmem', 'pmdk'] as const) {
  t.test(`a pool over the ${dialect} dialect`, async t => {
    t.test('what is persisted is on the target, in every form', async t => {
      const { memory, create } = await targetBed(t, dialect)
      const pool = await create()
      memory.view(4096, 600).set(pattern(600))
      pool.persistSync(4096, 100)
      await pool.persist(4196, 100, { lane: 1 })
      pool.flush(4296, 100)
      pool.drainSync()
      pool.flush(4396, 100, { lane: 1 })
      await pool.drain({ lane: 1 })
      pool.deepPersistSync(4496, 50)
      await pool.deepPersist(4546, 50)
      const started = [pool.start(4596, 50), pool.start(4646, 50)]
      started[0]?.finishSync()
      await started[1]?.finish()
      sameBytes(t, await held(pool, 4096, 600), pattern(600), 'all of it arrived')
      const sync = new Uint8Array(10)
      pool.readSync(4096, sync)
      sameBytes(t, sync, pattern(10), 'read at once')
    })

    t.test('what create says open finds again', async t => {
      const { create, open, partFiles } = await targetBed(t, dialect)
      const first = await create()
      t.ok(first.attributes && attributesEqual(first.attributes, attributes))
      await first.close()
      const second = await open()
      t.ok(second.attributes && attributesEqual(second.attributes, attributes))
      t.equal(second.laneCount, 2)
      t.equal(second.size, poolSize)
      await second.close()
      t.same(partFiles(), ['single'])
    })

    t.test('attributes are replaced in the headers', async t => {
      const { create, open } = await targetBed(t, dialect)
      const pool = await create()
      const other = { ...attributes, major: 9, userFlags: Buffer.alloc(16, 6) }
      await pool.setAttributes(other)
      t.equal(pool.attributes?.major, 9)
      await t.rejects(pool.setAttributes(undefined), { code: 'ERR_ATTRIBUTES' })
      await pool.close()
      const again = await open()
      t.ok(again.attributes && attributesEqual(again.attributes, other))
    })

    t.test('close with remove takes back what was created, and only that', async t => {
      const { create, open, partFiles } = await targetBed(t, dialect)
      await (await create()).close({ remove: true })
      t.same(partFiles(), [])
      await (await create()).close()
      await (await open()).close({ remove: true })
      t.same(partFiles(), ['single'])
    })

    t.test('the refusals of the target arrive with their codes', async t => {
      const { create, open, partFiles } = await targetBed(t, dialect)
      const missing = dialect === 'rpmem' ? 'ERR_PART_MISSING' : 'ERR_POOLSET_MISSING'
      await t.rejects(open(), { code: missing })
      await t.rejects(create('nowhere.set'), { code: 'ERR_POOLSET_MISSING' })
      await t.rejects(create('../single.set'), { code: 'ERR_POOLSET_OUTSIDE' })
      await t.rejects(create('bad.set'), {
        code: dialect === 'rpmem' ? 'ERR_POOLSET_SYNTAX' : 'ERR_POOLSET_UNSUITABLE',
      })
      await t.rejects(create('rep.set'), { code: 'ERR_POOLSET_UNSUITABLE' })
      t.same(partFiles(), [])
      await (await create()).close()
      await t.rejects(create(), { code: 'ERR_PART_EXISTS' })
    })

    t.test('a pool without headers has no protected page', async t => {
      const { create, memory } = await targetBed(t, dialect)
      const pool = await create('nohdrs.set', { attributes: undefined })
      t.equal(pool.attributes, undefined)
      memory.view(0, 64).set(pattern(64))
      pool.persistSync(0, 64)
      sameBytes(t, await held(pool, 0, 64), pattern(64), 'from the first byte')
      await t.rejects(pool.setAttributes(attributes), { code: 'ERR_ATTRIBUTES' })
    })

    t.test('a killed target fails what is under way and all that follows, and says so once', async t => {
      const { create, kill } = await targetBed(t, dialect)
      const pool = await create()
      const lost = whenLost(pool)
      const pending = t.rejects(pool.persist(4096, 64), { code: 'ERR_TARGET_LOST' })
      kill()
      await pending
      await lost(t)
      await refusesAll(t, pool, 'ERR_TARGET_LOST')
      await pool.close()
      await t.rejects(pool.persist(4096, 8), { code: 'ERR_CLOSED' })
    })

    t.test('a stopped target is noticed within three seconds, with nothing under way', async t => {
      const { create, stop } = await targetBed(t, dialect)
      const pool = await create()
      const lost = whenLost(pool)
      const before = performance.now()
      stop()
      await lost(t)
      t.ok(performance.now() - before < 3000, 'in time')
      await refusesAll(t, pool, 'ERR_TARGET_LOST')
    })

    t.test('a call that comes after the loss has begun nothing, but a drain may speak of what was', async t => {
      const { create, kill } = await targetBed(t, dialect)
      const pool = await create()
      const lost = whenLost(pool)
      pool.flush(4096, 64)
      kill()
      await lost(t)
      const begunNothing = { code: 'ERR_TARGET_LOST', durability: 'none', cause: { durability: 'unknown' } }
      t.throws(() => pool.persistSync(4096, 8), begunNothing)
      t.throws(() => pool.flush(4096, 8), begunNothing)
      await t.rejects(pool.persist(4096, 8), begunNothing)
      await t.rejects(pool.read(4096, new Uint8Array(8)), begunNothing)
      t.throws(() => pool.drainSync(), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
      await t.rejects(pool.drain(), { code: 'ERR_TARGET_LOST', durability: 'unknown' })
    })

    t.test('a pool whose target has died under a persist closes in peace', async t => {
      const { create, kill } = await targetBed(t, dialect)
      const pool = await create()
      kill()
      t.throws(() => pool.persistSync(4096, 8), { code: 'ERR_TARGET_LOST' })
      await Promise.all([pool.close(), pool.close()])
    })

    t.test('a loss that shows only while the pool is closed matters to a removal alone', async t => {
      for (const remove of [false, true]) {
        await t.test(`remove: ${remove}`, async t => {
          const { create, kill } = await targetBed(t, dialect)
          const pool = await create()
          kill()
          if (remove) await t.rejects(pool.close({ remove }), { code: 'ERR_TARGET_LOST' })
          else await t.resolves(pool.close())
        })
      }
    })

    t.test('close of a stopped target settles within four seconds, and says if a removal is in doubt', async t => {
      for (const remove of [false, true]) {
        await t.test(`remove: ${remove}`, async t => {
          const { create, stop } = await targetBed(t, dialect)
          const pool = await create()
          const before = performance.now()
          stop()
          if (remove) await t.rejects(pool.close({ remove }), { code: 'ERR_TARGET_LOST' })
          else await pool.close()
          t.ok(performance.now() - before < 4000, 'in time')
        })
      }
    })

    t.test('the method of the target is known or, over the PMDK dialect, deduced', async t => {
      const { create, storage } = await targetBed(t, dialect)
      const pool = await create()
      t.equal(pool.durability, dialect === 'rpmem' ? storage.mapped[0]?.method : undefined)
      t.match(pool.transport, { provider: dialect === 'rpmem' ? 'tcp' : 'sockets', persistMethod: 'GPSPM' })
      t.match(pool.transport.why, [{ provider: 'verbs', chosen: false }, { provider: 'tcp' }, { provider: 'sockets' }])
    })
    t.end()
  })
}

/** Counts the event; the returned function waits for the first and checks that there is no second. */
function whenLost(pool: RemotePool): (t: Test) => Promise<void> {
  let count = 0
  const first = new Promise<Error>(resolve => {
    pool.on('lost', error => {
      count++
      resolve(error)
    })
  })
  return async t => {
    // The watchdog holds no program; the test has to.
    const holding = setTimeout(() => t.fail('the loss was never told'), 10_000)
    t.match(await first, { code: 'ERR_TARGET_LOST' })
    clearTimeout(holding)
    await new Promise(setImmediate)
    t.equal(count, 1)
  }
}

async function refusesAll(t: Test, pool: RemotePool, code: 'ERR_TARGET_LOST' | 'ERR_CLOSED'): Promise<void> {
  const into = new Uint8Array(8)
  t.throws(() => pool.persistSync(4096, 8), { code }, 'persistSync')
  t.throws(() => pool.start(4096, 8), { code }, 'start')
  t.throws(() => pool.flush(4096, 8), { code }, 'flush')
  t.throws(() => pool.drainSync(), { code }, 'drainSync')
  t.throws(() => pool.deepPersistSync(4096, 8), { code }, 'deepPersistSync')
  t.throws(() => pool.readSync(4096, into), { code }, 'readSync')
  await t.rejects(pool.persist(4096, 8), { code }, 'persist')
  await t.rejects(pool.drain(), { code }, 'drain')
  await t.rejects(pool.deepPersist(4096, 8), { code }, 'deepPersist')
  await t.rejects(pool.read(4096, into), { code }, 'read')
  await t.rejects(pool.setAttributes(attributes), { code }, 'setAttributes')
}

t.test('a closed pool refuses every call and closes again in peace', async t => {
  const { create } = await targetBed(t)
  const pool = await create()
  let closed = 0
  pool.on('closed', () => closed++)
  await Promise.all([pool.close(), pool.close()])
  await pool[Symbol.asyncDispose]()
  t.equal(closed, 1)
  await refusesAll(t, pool, 'ERR_CLOSED')
})

t.test('close lets what is under way settle, and refuses what comes after it', async t => {
  const { create, memory, network } = await targetBed(t)
  const pool = await create()
  network.delayMs = 20
  memory.view(4096, 8).set(pattern(8))
  const before = pool.persist(4096, 8)
  const closing = pool.close()
  await t.rejects(pool.persist(4096, 8), { code: 'ERR_CLOSED' })
  await before
  await closing
})

t.test('a range is checked before anything is sent', async t => {
  const { create } = await targetBed(t)
  const pool = await create()
  const ranges = [
    [poolSize, 0],
    [poolSize, 1],
    [poolSize - 1, 2],
    [-1, 2],
    [4096, -1],
    [0.5, 1],
    [Number.NaN, 1],
    [4096, Number.POSITIVE_INFINITY],
    [2 ** 53, 1],
  ] as const
  for (const [offset, length] of ranges) {
    t.throws(() => pool.persistSync(offset, length), { code: 'ERR_RANGE' }, `${offset}, ${length}`)
    await t.rejects(pool.deepPersist(offset, length), { code: 'ERR_RANGE' })
  }
  for (const offset of [0, 64, 4095]) {
    t.throws(() => pool.persistSync(offset, 8), { code: 'ERR_HEADER_PROTECTED' })
    t.throws(() => pool.flush(offset, 8), { code: 'ERR_HEADER_PROTECTED' })
  }
  pool.persistSync(4096, 0)
  pool.persistSync(4096, poolSize - 4096)
  t.equal((await held(pool, 0, 8)).length, 8, 'the header page can be read')
})

t.test('a lane is checked', async t => {
  const { create } = await targetBed(t)
  const pool = await create()
  for (const lane of [2, -1, 0.5, Number.NaN]) {
    t.throws(() => pool.persistSync(4096, 8, { lane }), { code: 'ERR_LANE_RANGE' }, `${lane}`)
    t.throws(() => pool.drainSync({ lane }), { code: 'ERR_LANE_RANGE' })
  }
})

t.test('wrong arguments never reach the network', async t => {
  const { open, shell, options } = await targetBed(t)
  const sizes = [0, 4095, 4096.5, poolSize + 4096, Number.NaN]
  for (const size of sizes) await t.rejects(open('single.set', { size }), { code: 'ERR_ARGUMENT' }, `${size}`)
  for (const lanes of [0, -1, 1.5, 2 ** 32]) await t.rejects(open('single.set', { lanes }), { code: 'ERR_ARGUMENT' })
  for (const set of ['', 'a\0b', 'x'.repeat(5000)]) await t.rejects(open(set), { code: 'ERR_ARGUMENT' })
  for (const name of ['deadlineMs', 'openDeadlineMs', 'connectDeadlineMs'])
    for (const time of [0, -1, 1.5, Number.NaN, 2 ** 31])
      await t.rejects(open('single.set', { [name]: time }), { code: 'ERR_ARGUMENT', facts: { argument: name } })
  const odd = new BufferMemory(6000)
  await t.rejects(RemotePool.open('me@node2', 'single.set', odd, options), { code: 'ERR_ARGUMENT' })
  await t.rejects(RemotePool.open('me@node2:0', 'single.set', new BufferMemory(8192), options), { code: 'ERR_ADDRESS' })
  t.same(shell.commands, [])
})

t.test('fewer lanes than asked for are granted, and said', async t => {
  const { create } = await targetBed(t)
  const lines: [LogLevel, string][] = []
  const pool = await create('single.set', { lanes: 1024, log: { write: (level, text) => lines.push([level, text]) } })
  t.equal(pool.laneCount, 16)
  t.equal(pool.lanesRequested, 1024)
  t.ok(lines.some(([level, text]) => level === 'notice' && text.includes('16 of 1024 lanes')))
})

t.test('RPMEM_MAX_NLANES bounds what is asked for', async t => {
  const { create } = await targetBed(t)
  const environment: Environment = readEnvironment({ RPMEM_MAX_NLANES: '3' })
  const pool = await create('single.set', { lanes: 8, environment })
  t.equal(pool.laneCount, 3)
})

t.test('a required provider that is missing is ERR_NO_PROVIDER and leaves nothing behind', async t => {
  const { create, partFiles } = await targetBed(t)
  await t.rejects(create('single.set', { transport: { require: 'verbs' } }), { code: 'ERR_NO_PROVIDER' })
  t.same(partFiles(), [])
})

t.test('lanes that cannot be connected undo the creation', async t => {
  const { create, options, partFiles, released } = await targetBed(t)
  const { fabric } = options
  const refusing = {
    probe: fabric.probe.bind(fabric),
    listen: fabric.listen.bind(fabric),
    connect: async () => {
      throw new Error('the port is closed')
    },
  }
  await t.rejects(create('single.set', { fabric: refusing }), { message: 'the port is closed' })
  t.same(partFiles(), [])
  t.ok(released())
})

t.test('an abort ends the wait for lanes, undoes the creation and ends lanes that come late', async t => {
  const { create, options, partFiles, released } = await targetBed(t)
  const { fabric } = options
  const controller = new AbortController()
  let ended = () => {}
  const lanesEnded = new Promise<void>(resolve => {
    ended = resolve
  })
  const slow = {
    probe: fabric.probe.bind(fabric),
    listen: fabric.listen.bind(fabric),
    async connect(connection: ConnectOptions) {
      const lanes = await fabric.connect(connection)
      controller.abort()
      await new Promise(setImmediate)
      const close = lanes.close.bind(lanes)
      lanes.close = () => close().then(ended)
      return lanes
    },
  }
  await t.rejects(create('single.set', { fabric: slow, signal: controller.signal }), { code: 'ERR_ABORTED' })
  await lanesEnded
  t.same(partFiles(), [])
  t.ok(released())
})

t.test('the caller says how long to wait for the lanes', async t => {
  const { create, options } = await targetBed(t)
  const { fabric } = options
  const asked: (number | undefined)[] = []
  const listening = {
    probe: fabric.probe.bind(fabric),
    listen: fabric.listen.bind(fabric),
    connect(connection: ConnectOptions) {
      asked.push(connection.connectTimeoutMs)
      return fabric.connect(connection)
    },
  }
  await (await create('single.set', { fabric: listening, connectDeadlineMs: 700 })).close()
  await (await create('nohdrs.set', { fabric: listening, attributes: undefined })).close()
  t.strictSame(asked, [700, undefined])
})

t.test('a pool that is larger than that of the target is refused', async t => {
  const { options, partFiles } = await targetBed(t)
  const large = new BufferMemory(16 * MiB)
  await t.rejects(RemotePool.create('me@node2', 'single.set', large, options), { code: 'ERR_POOL_SIZE' })
  t.same(partFiles(), [])
})

t.test('an abort ends opening and waiting', async t => {
  const bed: TargetBed = await targetBed(t)
  await t.rejects(bed.create('single.set', { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
  const pool = await bed.create()
  bed.network.delayMs = 20
  const controller = new AbortController()
  const wait = t.rejects(pool.persist(4096, 8, { signal: controller.signal }), { code: 'ERR_ABORTED' })
  controller.abort()
  await wait
  await t.rejects(pool.persist(4096, 8, { signal: controller.signal }), { code: 'ERR_ABORTED' })
  await pool.persist(4096, 8)
})

t.test('an open pool lets the program end', async t => {
  const { create, shell } = await targetBed(t)
  await create()
  t.equal(shell.unreferenced, 1)
})
