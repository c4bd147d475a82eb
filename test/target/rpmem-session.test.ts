import t, { type Test } from 'tap'
import { type Clock, errno, MiB, RpmemError } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { Lanes } from '../../fabric-native/index.js'
import type { TargetNode } from '../../target/target-node.js'
import { type ControlMessage, encodeControl, laneTokens } from '../../wire/index.js'
import { GatedStore } from './gated-store.js'
import { accept, attributes, create, Initiator, open } from './initiator.js'
import { type Bed, bed, failingFabric, type Talk, talk, writePart } from './session-bed.js'

const initiatorOf = (node: TargetNode): Initiator<Talk> => new Initiator(talk(node, 'rpmem'))

async function connect(it: Bed, ready: ControlMessage<'ready'>): Promise<Lanes> {
  const { port, address, method, rkey, raddr, lanes, inlineSize, secret } = ready
  const size = 8 * MiB
  const shared = { provider: 'tcp', dialect: 'rpmem', memory: new BufferMemory(size), size } as const
  const tokens = laneTokens(secret, lanes)
  return it.fabric.connect({ ...shared, port, address, method, rkey, raddr, lanes, inlineSize, tokens })
}

async function serving(it: Bed, message: ControlMessage<'create' | 'open'> = create) {
  const initiator = initiatorOf(it.node)
  await initiator.begin()
  initiator.say(message)
  const ready = await initiator.hear('ready')
  return { initiator, ready, lanes: await connect(it, ready) }
}

t.test('hello tells versions, software and what every provider is good for', async t => {
  const it = bed(t)
  const initiator = initiatorOf(it.node)
  const hello = await initiator.begin()
  t.match(hello, { versions: { min: 1, max: 1 }, software: 'rpmem test', capabilities: ['prompt-ping'] })
  t.strictSame(
    hello.offers.map(report => [report.provider, report.offer?.maxLanes ?? 'none']),
    [
      ['verbs', 'none'],
      ['tcp', 16],
      ['sockets', 16],
    ],
  )
  t.equal(await initiator.end(), 1, 'the initiator left without a pool')
})

t.test('create, write, set attributes, ping and close', async t => {
  const it = bed(t)
  const { initiator, ready, lanes } = await serving(it)
  t.match(ready, { id: 1, address: '127.0.0.1', method: 'GPSPM', durability: 'volatile', lanes: 2, inlineSize: 4096 })
  t.equal(ready.poolSize, 8 * MiB)
  t.match(ready.attributes, { major: 7, signature: attributes.signature })
  await lanes.persist(4096, 64)
  initiator.say({ type: 'ping', id: 2 }, { type: 'setAttributes', id: 3, attributes: { ...attributes, major: 8 } })
  t.strictSame(await initiator.hear('pong'), { type: 'pong', id: 2, activeLanes: 2 })
  t.strictSame(await initiator.hear('done'), { type: 'done', id: 3 })
  initiator.say({ type: 'close', id: 4, remove: false })
  t.strictSame(await initiator.hear('done'), { type: 'done', id: 4 })
  t.equal(await initiator.channel.ended, 0)
  t.ok(it.released())

  const again = await serving(it, open)
  t.equal(again.ready.attributes?.major, 8)
  t.equal(await again.initiator.end(), 1)
  t.ok(it.released())
  t.strictSame(it.partFiles(), ['single'], 'a pool that was served stays, however the session ends')
})

t.test('volatile memory is told to the initiator and warned of in the log', async t => {
  const it = bed(t)
  const { initiator } = await serving(it)
  t.ok(it.logged.some(([level, message]) => level === 'warn' && /volatile/.test(message)))
  await initiator.end()
})

t.test('APM needs verbs, which writes past the CPU; the log says what spoke against it', async t => {
  const offer = { fabricName: 'any', protocol: 1, protocolVersion: 1, maxLanes: 16, maxMessageSize: 2 ** 30 }
  const offers = (['verbs', 'tcp'] as const).map(provider => ({ provider, offer: { provider, ...offer } }))
  for (const [provider, method, why] of [
    ['verbs', 'APM', /APM \(allowed by persist-apm/],
    ['tcp', 'GPSPM', /GPSPM \(no APM: over tcp the CPU copies/],
  ] as const) {
    const it = bed(t, { apmEnabled: true, offers: Promise.resolve(offers) })
    it.storage.dax()
    const initiator = initiatorOf(it.node)
    await initiator.begin()
    initiator.say({ ...create, provider })
    t.match(await initiator.hear('ready'), { method, durability: 'dax' }, provider)
    t.ok(
      it.logged.some(([, message]) => why.test(message)),
      `the reason over ${provider}`,
    )
    await initiator.end()
  }
})

t.test('neither the secret nor a token gets into the log', async t => {
  const it = bed(t)
  const { initiator, ready } = await serving(it)
  await initiator.end()
  const log = it.logged.map(([, message]) => message).join('\n')
  for (const secret of [ready.secret, ...laneTokens(ready.secret, 2)])
    t.notMatch(log, Buffer.from(secret).toString('hex'))
})

t.test('lanes of another secret are refused and the pool is removed when the session ends', async t => {
  const it = bed(t)
  const initiator = initiatorOf(it.node)
  await initiator.begin()
  initiator.say(create)
  const ready = await initiator.hear('ready')
  await t.rejects(connect(it, { ...ready, secret: new Uint8Array(32) }), { code: 'ERR_IN_BAND_REFUSED' })
  t.strictSame(it.partFiles(), ['single'])
  t.equal(await initiator.end(), 1)
  t.strictSame(it.partFiles(), [])
  t.ok(it.released())
})

t.test('an opened pool stays, also if no lane ever came', async t => {
  const it = bed(t)
  await (await serving(it)).initiator.end()
  const initiator = initiatorOf(it.node)
  await initiator.begin()
  initiator.say(open)
  await initiator.hear('ready')
  t.equal(await initiator.end(), 1)
  t.strictSame(it.partFiles(), ['single'])
})

t.test('close with remove takes away a pool of this session and no other', async t => {
  const it = bed(t)
  const first = await serving(it)
  first.initiator.say({ type: 'close', id: 2, remove: false })
  await first.initiator.hear('done')
  const second = await serving(it, open)
  second.initiator.say({ type: 'close', id: 2, remove: true })
  await second.initiator.hear('done')
  t.strictSame(it.partFiles(), ['single'], 'this session only opened it')
  writePart(it, 'nohdrs')
  const third = await serving(it, { ...create, poolSet: 'nohdrs.set', attributes: undefined })
  third.initiator.say({ type: 'close', id: 2, remove: true })
  await third.initiator.hear('done')
  t.equal(await third.initiator.channel.ended, 0)
  t.strictSame(it.partFiles(), ['nohdrs', 'single'], 'parts that were there before are kept')
})

t.test('a request that cannot be met is answered with code, facts and hint, and leaves nothing behind', async t => {
  const rows: [Partial<ControlMessage<'create'>>, string, number | undefined][] = [
    [{ poolSet: 'none.set' }, 'ERR_POOLSET_MISSING', errno.ENOENT],
    [{ poolSet: '/etc/passwd' }, 'ERR_POOLSET_OUTSIDE', errno.EINVAL],
    [{ poolSet: '../pools/single.set' }, 'ERR_POOLSET_OUTSIDE', errno.EINVAL],
    [{ poolSet: 'sub' }, 'ERR_POOLSET_UNREADABLE', errno.EACCES],
    [{ poolSet: 'bad.set' }, 'ERR_POOLSET_SYNTAX', undefined],
    [{ poolSet: 'rep.set' }, 'ERR_POOLSET_UNSUITABLE', errno.EINVAL],
    [{ poolSet: 'small.set', size: MiB }, 'ERR_PART_SIZE', errno.EINVAL],
    [{ size: 8 * MiB + 1 }, 'ERR_POOL_SIZE', errno.EFBIG],
    [{ size: 0 }, 'ERR_ARGUMENT', errno.EINVAL],
    [{ lanes: 0 }, 'ERR_ARGUMENT', errno.EINVAL],
    [{ provider: 'verbs' }, 'ERR_NO_PROVIDER', errno.ENOMEDIUM],
    [{ provider: 'psm9' }, 'ERR_NO_PROVIDER', errno.ENOMEDIUM],
    [{ attributes: undefined }, 'ERR_ATTRIBUTES', errno.EINVAL],
    [{ poolSet: 'nohdrs.set' }, 'ERR_ATTRIBUTES', errno.EINVAL],
    [{ poolSet: 'hdr1.set' }, 'ERR_ATTRIBUTES', errno.EINVAL],
  ]
  for (const [change, code, number] of rows) {
    const it = bed(t)
    const initiator = initiatorOf(it.node)
    await initiator.begin()
    initiator.say({ ...create, ...change })
    const failure = await initiator.hear('failure')
    t.match(failure, { id: 1, code, ...(number === undefined ? {} : { errno: number }) }, JSON.stringify(change))
    t.not(failure.hint, '')
    t.equal(await initiator.channel.ended, 0)
    t.strictSame(it.partFiles(), [])
    t.ok(it.released())
  }
})

t.test('all that speaks against a pool set is told at once', async t => {
  const initiator = initiatorOf(bed(t).node)
  await initiator.begin()
  initiator.say({ ...create, poolSet: 'many.set' })
  const { code, message } = await initiator.hear('failure')
  t.equal(code, 'ERR_POOLSET_UNSUITABLE')
  t.match(message, /REPLICA lines.*\/m would have 1048576.*\/n would have 1024.*\/m is a part already/)
  await initiator.end()
})

t.test('a full disk, a busy part and a fabric that cannot listen leave nothing behind', async t => {
  const full = bed(t)
  full.storage.allocationFailure = 'ENOSPC'
  const noFabric = bed(t)
  const error = new RpmemError('ERR_LOCKED_MEMORY', 'the limit is 64 KiB', { facts: { limit: 65536 } })
  const node = { ...noFabric.node, fabric: failingFabric(noFabric.fabric, error) }
  const unreachable = bed(t, { connection: undefined })
  const rows: [Bed, TargetNode, string][] = [
    [full, full.node, 'ERR_DISK_FULL'],
    [noFabric, node, 'ERR_LOCKED_MEMORY'],
    [unreachable, unreachable.node, 'ERR_NO_PROVIDER'],
  ]
  for (const [it, target, code] of rows) {
    const initiator = initiatorOf(target)
    await initiator.begin()
    initiator.say(create)
    t.match(await initiator.hear('failure'), { code })
    t.equal(await initiator.channel.ended, 0)
    t.strictSame(it.partFiles(), [], code)
    t.ok(it.released())
  }
})

t.test('more lanes than the provider has are granted up to its limit', async t => {
  const it = bed(t)
  const { initiator, ready } = await serving(it, { ...create, lanes: 2 ** 32 - 1 })
  t.equal(ready.lanes, 16)
  await initiator.end()
})

t.test('requests without a pool are refused', async t => {
  const it = bed(t)
  const initiator = initiatorOf(it.node)
  await initiator.begin()
  initiator.say({ type: 'setAttributes', id: 1, attributes })
  t.match(await initiator.hear('failure'), { id: 1, code: 'ERR_PROTOCOL' })
  initiator.say({ type: 'ping', id: 2 })
  t.match(await initiator.hear('pong'), { id: 2, activeLanes: 0 })
  initiator.say({ type: 'close', id: 3, remove: false })
  t.match(await initiator.hear('failure'), { id: 3, code: 'ERR_PROTOCOL' })
  t.equal(await initiator.channel.ended, 0)
})

t.test('attributes that do not fit are refused and the session goes on', async t => {
  const it = bed(t)
  const { initiator } = await serving(it)
  initiator.say({ type: 'setAttributes', id: 2, attributes: undefined }, { type: 'ping', id: 3 })
  t.match(await initiator.hear('pong'), { id: 3 }, 'a ping waits for nothing')
  t.match(await initiator.hear('failure'), { id: 2, code: 'ERR_ATTRIBUTES' })
  await initiator.end()
})

t.test('messages out of turn end the session with a reproach', async t => {
  const rows: [string, ControlMessage[]][] = [
    ['a request before accept', [create]],
    ['a ping before accept', [{ type: 'ping', id: 1 }]],
    ['a second accept', [accept, accept]],
    ['a version that was not offered', [{ ...accept, version: 2 }]],
    ['a capability that was not offered', [{ ...accept, capabilities: ['telepathy'] }]],
    ['a message of the target', [accept, { type: 'done', id: 1 }]],
    ['a second create', [accept, create, { ...create, id: 2 }]],
    ['an open after create', [accept, create, { ...open, id: 2 }]],
  ]
  for (const [name, messages] of rows) {
    const it = bed(t)
    const initiator = initiatorOf(it.node)
    await initiator.channel.read(4)
    await initiator.hear('hello')
    initiator.say(...messages)
    if (messages.includes(create) && messages.length > 1) await initiator.hear('ready')
    t.match(await initiator.hear('failure'), { id: 0, code: 'ERR_PROTOCOL' }, name)
    t.equal(await initiator.channel.ended, 255, name)
    t.strictSame(it.partFiles(), [], name)
    t.ok(it.released(), name)
  }
})

/** A session that has been asked to create and is held up there. */
async function creating(t: Test) {
  const it = bed(t)
  const store = new GatedStore(it.node, 'create')
  const initiator = initiatorOf({ ...it.node, store })
  await initiator.begin()
  initiator.say(create)
  await store.begun
  return { it, store, initiator }
}

t.test('pings are answered while a pool is created, requests when their turn comes', async t => {
  const { store, initiator } = await creating(t)
  initiator.say(
    { type: 'setAttributes', id: 2, attributes: { ...attributes, major: 8 } },
    { type: 'close', id: 3, remove: true },
  )
  for (let id = 4; id < 1000; id++) initiator.say({ type: 'ping', id })
  for (let id = 4; id < 1000; id++) t.equal((await initiator.hear('pong')).id, id)
  store.release()
  t.match(await initiator.hear('ready'), { id: 1 })
  t.match(await initiator.hear('done'), { id: 2 })
  t.match(await initiator.hear('done'), { id: 3 })
  t.equal(await initiator.channel.ended, 0)
})

t.test('pings are answered while a pool is closed', async t => {
  const it = bed(t)
  const store = new GatedStore(it.node, 'close')
  const { initiator } = await serving({ ...it, node: { ...it.node, store } })
  initiator.say({ type: 'close', id: 2, remove: false })
  await store.begun
  initiator.say({ type: 'ping', id: 3 })
  t.strictSame(await initiator.hear('pong'), { type: 'pong', id: 3, activeLanes: 0 })
  store.release()
  t.match(await initiator.hear('done'), { id: 2 })
  t.equal(await initiator.channel.ended, 0)
})

t.test('two creates at once: the second is a violation, and nothing of the first is left', async t => {
  const { it, store, initiator } = await creating(t)
  initiator.say({ ...create, id: 2 }, { type: 'ping', id: 3 })
  t.match(await initiator.hear('pong'), { id: 3 })
  store.release()
  t.match(await initiator.hear('ready'), { id: 1 })
  t.match(await initiator.hear('failure'), { id: 0, code: 'ERR_PROTOCOL' })
  t.equal(await initiator.channel.ended, 255)
  t.strictSame(it.partFiles(), [])
  t.ok(it.released())
})

t.test('more than a mebibyte of requests that wait is a violation, after the answer to the first', async t => {
  const { it, store, initiator } = await creating(t)
  const request = { type: 'setAttributes', id: 2, attributes } as const
  const enough = Math.ceil(MiB / encodeControl(request).length) + 1
  for (let count = 0; count < enough; count++) initiator.say(request)
  store.release()
  t.match(await initiator.hear('ready'), { id: 1 })
  t.equal(await initiator.channel.ended, 255)
  t.strictSame(it.partFiles(), [])
})

t.test('an initiator that leaves while its pool is created gets it undone', async t => {
  const { it, store, initiator } = await creating(t)
  initiator.channel.input.end()
  store.release()
  t.equal(await initiator.channel.ended, 1)
  t.strictSame(it.partFiles(), [])
})

t.test('a session that is stopped while a pool is created answers nothing more', async t => {
  const { it, store, initiator } = await creating(t)
  initiator.say({ type: 'setAttributes', id: 2, attributes })
  initiator.channel.session.stop()
  store.release()
  t.match(await initiator.hear('ready'), { id: 1 })
  t.equal(await initiator.channel.ended, 1)
  t.equal((await initiator.channel.rest()).length, 0)
  t.strictSame(it.partFiles(), [])
})

t.test('lanes that do not come in time fail the close and with it the creation', async t => {
  const it = bed(t)
  const failing: TargetNode = {
    ...it.node,
    fabric: {
      probe: async () => [],
      connect: options => it.fabric.connect(options),
      listen: options => it.fabric.listen({ ...options, acceptTimeoutMs: 1 }),
    },
  }
  const initiator = initiatorOf(failing)
  await initiator.begin()
  initiator.say(create)
  await initiator.hear('ready')
  await waitForLog(it, /not every lane/)
  initiator.say({ type: 'close', id: 2, remove: false })
  t.match(await initiator.hear('failure'), { id: 2, code: 'ERR_IN_BAND_REFUSED' })
  t.strictSame(it.partFiles(), [])
})

/** The log is an array of the bed; the wait ends with its entry or with the time limit of the test. */
async function waitForLog(it: Bed, pattern: RegExp): Promise<void> {
  while (!it.logged.some(([, message]) => pattern.test(message))) await new Promise(resolve => setImmediate(resolve))
}

async function endsCleanly(t: Test, it: Bed, initiator: Initiator<Talk>, code: number): Promise<void> {
  t.equal(await initiator.channel.ended, code)
  t.ok(it.released())
}

/** Time passes when the test says so. */
class TestClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly ring: () => void }>()

  nowMs(): number {
    return this.#now
  }

  after(delayMs: number, ring: () => void): () => void {
    const timer = { at: this.#now + delayMs, ring }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** In steps, so that timers that were set meanwhile go off too. */
  pass(ms: number): void {
    for (const end = this.#now + ms; this.#now < end; ) {
      this.#now = Math.min(this.#now + 1000, end)
      for (const timer of this.#timers) {
        if (timer.at > this.#now || !this.#timers.delete(timer)) continue
        timer.ring()
      }
    }
  }
}

/** A bed whose clock is the test's. */
function timedBed(t: Test): { it: Bed; clock: TestClock } {
  const clock = new TestClock()
  return { it: bed(t, { clock }), clock }
}

t.test('an initiator that asks for nothing is let go after a minute', async t => {
  const { it, clock } = timedBed(t)
  const silent = initiatorOf(it.node)
  clock.pass(60_000)
  await endsCleanly(t, it, silent, 1)
})

t.test('an initiator that is cut off loses its pool after a minute, and the pool stays', async t => {
  const { it, clock } = timedBed(t)
  const { initiator, lanes } = await serving(it)
  await lanes.persist(4096, 64)
  for (let id = 2; id < 6; id++) {
    clock.pass(59_000)
    initiator.say({ type: 'ping', id })
    t.match(await initiator.hear('pong'), { id, activeLanes: 2 })
  }
  clock.pass(59_000)
  t.notOk(it.released(), 'not yet')
  clock.pass(10_000)
  await endsCleanly(t, it, initiator, 1)
  t.ok(it.logged.some(([, message]) => /fallen silent/.test(message)))
  t.strictSame(it.partFiles(), ['single'])
})

t.test('an initiator that persists without a pause is heard over its lanes', async t => {
  const { it, clock } = timedBed(t)
  const { initiator, lanes } = await serving(it)
  for (let minute = 0; minute < 5; minute++) {
    await lanes.persist(4096, 64)
    clock.pass(50_000)
  }
  initiator.say({ type: 'ping', id: 9 })
  t.match(await initiator.hear('pong'), { activeLanes: 2 })
  await initiator.end()
})

function promised() {
  let resolve: () => void = () => {}
  const promise = new Promise<void>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}

t.test('an initiator that waits for an answer is not silent', async t => {
  const { it, clock } = timedBed(t)
  const { promise: asked, resolve: ask } = promised()
  const { promise: made, resolve: make } = promised()
  const slow: TargetNode['store'] = {
    open: (...how) => it.node.store.open(...how),
    create: (...how) => {
      ask()
      return made.then(() => it.node.store.create(...how))
    },
  }
  const initiator = initiatorOf({ ...it.node, store: slow })
  await initiator.begin()
  initiator.say(create)
  await asked
  clock.pass(600_000)
  make()
  t.match(await initiator.hear('ready'), { id: 1 })
  initiator.say({ type: 'close', id: 2, remove: true })
  await initiator.hear('done')
})

t.test('a signal ends the session as if the initiator had gone', async t => {
  const it = bed(t)
  const { initiator } = await serving(it)
  initiator.channel.session.stop()
  await endsCleanly(t, it, initiator, 1)
  t.strictSame(it.partFiles(), ['single'])
})
