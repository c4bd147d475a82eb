import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { hasCode, isRpmemError, MiB, pageSize } from '../../core/index.js'
import type {
  ConnectOptions,
  Dialect,
  Fabric,
  Lanes,
  LanesToken,
  ListenOptions,
  PersistMethod,
  ProviderName,
  Service,
} from '../../fabric-native/fabric.js'
import type { Memory } from '../../fabric-native/memory.js'

import { sameBytes } from '../fixture/same-bytes.js'

/** What an implementation of the fabric seam brings along to be examined. */
export interface FabricBed {
  readonly name: string
  readonly fabric: Fabric
  readonly provider: ProviderName
  readonly dialect: Dialect
  readonly method: PersistMethod
  readonly maxLanes: number
  /** Of both ends; default 127.0.0.1. */
  readonly address?: string
  memory(size: number): Memory
  /** Where lanes can be shared. */
  attach?(token: LanesToken): Lanes
}

export interface Pair {
  readonly service: Service
  readonly lanes: Lanes
  readonly local: Memory
  readonly remote: Memory
}

export const poolSize = 8 * MiB

/** For many operations in a row: the sockets provider takes milliseconds for each on a busy machine. */
const patient = { deadlineMs: 60_000 }

/** One token a lane, repeatable: secrets need not be secret in a test. */
export const tokensFor = (lanes: number): Uint8Array[] =>
  Array.from({ length: lanes }, (_, lane) => new Uint8Array(createHash('sha256').update(`lane ${lane}`).digest()))

export function listenOptions(bed: FabricBed, memory: Memory, lanes: number): ListenOptions {
  const { provider, dialect, method, address = '127.0.0.1' } = bed
  const authentication = dialect === 'rpmem' ? { tokens: tokensFor(lanes) } : { peerAddress: address }
  return {
    provider,
    dialect,
    method,
    address,
    memory,
    size: memory.size,
    lanes,
    inlineSize: 8192,
    ...authentication,
  }
}

export function connectOptions(bed: FabricBed, service: Service, memory: Memory): ConnectOptions {
  const { provider, dialect, method, address = '127.0.0.1' } = bed
  return {
    ...{ provider, dialect, method, memory, address, port: service.port, size: memory.size },
    ...{ lanes: service.lanes, rkey: service.rkey, raddr: service.raddr, inlineSize: 8192 },
    ...(dialect === 'rpmem' ? { tokens: tokensFor(service.lanes) } : {}),
  }
}

/** Both ends over fresh memory; closed when the test ends. */
export async function connectPair(t: Test, bed: FabricBed, lanes = 2, size = poolSize): Promise<Pair> {
  const remote = bed.memory(size)
  const local = bed.memory(size)
  const service = await bed.fabric.listen(listenOptions(bed, remote, lanes))
  const connected = await bed.fabric.connect(connectOptions(bed, service, local))
  await service.connected
  t.teardown(async () => {
    await connected.close()
    await service.close()
    local.close()
    remote.close()
  })
  return { service, lanes: connected, local, remote }
}

/** Fills a range with bytes that tell where they belong. */
export function mark(memory: Memory, offset: number, length: number, salt = 0): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, at) => (7 * (offset + at) + ((offset + at) >>> 12) + salt) & 0xff)
  memory.view(offset, length).set(bytes)
  return bytes
}

export function contentOf(memory: Memory, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  memory.read(offset, bytes)
  return bytes
}

/** Lengths around every border an implementation may have: words, lines, pages, inline size, message size. */
const lengths = [1, 7, 8, 63, 64, 65, 4095, 4096, 8191, 8192, 8193, 65_536, 65_537, MiB, 3 * MiB + 5]

export function fabricCompliance(t: Test, bed: FabricBed): void {
  t.test(`${bed.name}: a synchronous persist of any length arrives exactly`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    for (const [index, length] of lengths.entries()) {
      const offset = pageSize + index * 13
      const expected = mark(local, offset, length, index)
      lanes.persistSync(offset, length, { lane: index % lanes.count, ...patient })
      sameBytes(t, contentOf(remote, offset, length), expected, `${length} bytes`)
    }
  })

  t.test(`${bed.name}: an asynchronous persist of any length arrives exactly`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    for (const [index, length] of lengths.entries()) {
      const offset = pageSize + index * 13
      const expected = mark(local, offset, length, index + 100)
      await lanes.persist(offset, length, patient)
      sameBytes(t, contentOf(remote, offset, length), expected, `${length} bytes`)
    }
  })

  t.test(`${bed.name}: nothing outside the range changes`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    mark(local, 0, 64 * 1024)
    lanes.persistSync(pageSize + 100, 50)
    const seen = contentOf(remote, 0, 64 * 1024)
    t.ok(seen.subarray(0, pageSize + 100).every(byte => byte === 0))
    t.ok(seen.subarray(pageSize + 150).every(byte => byte === 0))
  })

  t.test(`${bed.name}: relaxed and deep persists arrive as well`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const relaxed = mark(local, pageSize, 1000)
    lanes.persistSync(pageSize, 1000, { relaxed: true })
    const deep = mark(local, 3 * pageSize, 1000)
    lanes.persistSync(3 * pageSize, 1000, { deep: true })
    sameBytes(t, contentOf(remote, pageSize, 1000), relaxed, 'the range arrived')
    sameBytes(t, contentOf(remote, 3 * pageSize, 1000), deep, 'the range arrived')
  })

  t.test(`${bed.name}: a persist of nothing succeeds and sends nothing`, async t => {
    const { lanes, service } = await connectPair(t, bed)
    lanes.persistSync(pageSize, 0)
    await lanes.persist(poolSize, 0)
    t.equal(service.counters().bytes, 0)
  })

  t.test(`${bed.name}: what was flushed is there after the drain of its lane`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    for (const relaxed of [false, true]) {
      const expected = Array.from({ length: 16 }, (_, n) => mark(local, (n + 1) * pageSize, 64, relaxed ? 1 : 0))
      for (let n = 0; n < 16; n++) lanes.flush((n + 1) * pageSize, 64, { lane: 1, relaxed })
      if (relaxed) await lanes.drain({ lane: 1 })
      else lanes.drainSync({ lane: 1 })
      for (const [n, bytes] of expected.entries())
        sameBytes(t, contentOf(remote, (n + 1) * pageSize, 64), bytes, `flush ${n}`)
    }
  })

  t.test(`${bed.name}: more flushes than any queue holds are all there after one drain`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const expected = mark(local, pageSize, 2000 * 64)
    for (let n = 0; n < 2000; n++) lanes.flush(pageSize + n * 64, 64)
    lanes.drainSync()
    sameBytes(t, contentOf(remote, pageSize, 2000 * 64), expected, 'the range arrived')
  })

  t.test(`${bed.name}: many asynchronous persists in flight all arrive`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const expected = mark(local, pageSize, 1000 * 96)
    await Promise.all(Array.from({ length: 1000 }, (_, n) => lanes.persist(pageSize + n * 96, 96, patient)))
    sameBytes(t, contentOf(remote, pageSize, 1000 * 96), expected, 'the range arrived')
  })

  t.test(`${bed.name}: the last of several persists of one range wins`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const pending: Promise<void>[] = []
    for (let round = 0; round < 50; round++) {
      mark(local, pageSize, 64, round)
      pending.push(lanes.persist(pageSize, 64, { lane: 0 }))
    }
    const expected = mark(local, pageSize, 64, 50)
    lanes.persistSync(pageSize, 64, { lane: 0 })
    await Promise.all(pending)
    sameBytes(t, contentOf(remote, pageSize, 64), expected, 'the range arrived')
  })

  t.test(`${bed.name}: started persists are redeemed in any order, either way`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const expected = mark(local, pageSize, 3 * 4096)
    const tickets = [0, 1, 2].map(n => lanes.start(pageSize + n * 4096, 4096))
    lanes.finishSync(tickets[2] ?? 0)
    await lanes.finish(tickets[0] ?? 0)
    lanes.finishSync(tickets[1] ?? 0)
    sameBytes(t, contentOf(remote, pageSize, 3 * 4096), expected, 'the range arrived')
  })

  t.test(`${bed.name}: a persist that is awaited cannot be redeemed again`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const expected = mark(local, pageSize, 3 * 64)
    const ticket = lanes.start(pageSize, 64)
    const told = lanes.finish(ticket)
    // It has ended when the next one on its lane has, and nothing was told yet.
    lanes.persistSync(pageSize + 64, 64)
    t.throws(() => lanes.finishSync(ticket), { name: 'AssertionError' })
    await t.rejects(lanes.finish(ticket), { name: 'AssertionError' })
    await told
    const [first, second] = [lanes.start(pageSize, 64), lanes.start(pageSize + 128, 64)]
    t.not(first, second, 'no ticket is given out twice')
    lanes.finishSync(first)
    lanes.finishSync(second)
    sameBytes(t, contentOf(remote, pageSize, 3 * 64), expected, 'the ranges arrived')
  })

  t.test(`${bed.name}: a read brings what the target has, not what is local`, async t => {
    const { lanes, remote } = await connectPair(t, bed)
    for (const length of [1, 8, 4096, 65_537, 2 * MiB]) {
      const expected = mark(remote, 5000, length, 3)
      const sync = new Uint8Array(length)
      lanes.readSync(5000, sync)
      sameBytes(t, sync, expected, `${length} bytes`)
      const later = new Uint8Array(length)
      await lanes.read(5000, later, { lane: 1 })
      sameBytes(t, later, expected, `${length} bytes`)
    }
  })

  t.test(`${bed.name}: ranges and lanes that do not exist are refused before anything is sent`, async t => {
    const { lanes, service } = await connectPair(t, bed)
    const bad = (offset: number, length: number) => {
      t.throws(() => lanes.persistSync(offset, length), { code: 'ERR_RANGE' })
      t.throws(() => lanes.flush(offset, length), { code: 'ERR_RANGE' })
      t.throws(() => lanes.start(offset, length), { code: 'ERR_RANGE' })
    }
    for (const [offset, length] of [
      [poolSize, 1],
      [poolSize - 1, 2],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [Number.NaN, 1],
      [2 ** 53, 1],
    ]) {
      bad(offset ?? 0, length ?? 0)
    }
    t.throws(() => lanes.readSync(poolSize, new Uint8Array(1)), { code: 'ERR_RANGE' })
    for (const lane of [2, -1, 0.5, 1e9])
      t.throws(() => lanes.persistSync(pageSize, 8, { lane }), { code: 'ERR_LANE_RANGE' })
    await t.rejects(lanes.persist(poolSize, 1), { code: 'ERR_RANGE' })
    t.equal(service.counters().bytes, 0)
  })

  t.test(`${bed.name}: every lane count up to the limit serves`, async t => {
    for (const count of [1, 3, bed.maxLanes]) {
      const { lanes, local, remote } = await connectPair(t, bed, count)
      t.equal(lanes.count, count)
      for (let lane = 0; lane < count; lane++) {
        const expected = mark(local, pageSize + lane * 100, 100, lane)
        lanes.persistSync(pageSize + lane * 100, 100, { lane })
        sameBytes(t, contentOf(remote, pageSize + lane * 100, 100), expected, 'the range arrived')
      }
    }
  })

  t.test(`${bed.name}: after close every call says so, and close can be repeated`, async t => {
    const { lanes } = await connectPair(t, bed)
    await lanes.close()
    await lanes.close()
    t.throws(() => lanes.persistSync(pageSize, 8), { code: 'ERR_CLOSED' })
    t.throws(() => lanes.flush(pageSize, 8), { code: 'ERR_CLOSED' })
    t.throws(() => lanes.drainSync(), { code: 'ERR_CLOSED' })
    t.throws(() => lanes.readSync(0, new Uint8Array(8)), { code: 'ERR_CLOSED' })
    await t.rejects(lanes.persist(pageSize, 8), { code: 'ERR_CLOSED' })
    await t.rejects(lanes.drain(), { code: 'ERR_CLOSED' })
    await t.rejects(lanes.read(0, new Uint8Array(8)), { code: 'ERR_CLOSED' })
  })

  t.test(`${bed.name}: close settles what is pending`, async t => {
    const { lanes } = await connectPair(t, bed)
    const pending = Array.from({ length: 100 }, (_, n) => lanes.persist(pageSize + n * 64, 64))
    const settled = Promise.allSettled(pending)
    await lanes.close()
    for (const result of await settled) {
      t.ok(result.status === 'fulfilled' || hasCode(result.reason, 'ERR_CLOSED'))
    }
  })

  t.test(`${bed.name}: when the target goes away every call fails at once and the listener hears it once`, async t => {
    const { lanes, service } = await connectPair(t, bed)
    let calls = 0
    const heard = new Promise<Error>(resolve =>
      lanes.onDown(error => {
        calls++
        resolve(error)
      }),
    )
    // A listener does not hold the process.
    const holding = setTimeout(() => {}, 30_000)
    await service.close()
    t.ok(hasCode(await heard, 'ERR_TARGET_LOST'))
    clearTimeout(holding)
    t.throws(() => lanes.persistSync(pageSize, 8), { code: 'ERR_TARGET_LOST' })
    await t.rejects(lanes.persist(pageSize, 8), { code: 'ERR_TARGET_LOST' })
    t.throws(() => lanes.drainSync(), { code: 'ERR_TARGET_LOST' })
    t.ok(isRpmemError(lanes.down))
    t.equal(calls, 1)
  })

  if (bed.dialect === 'rpmem') authentication(t, bed)
  lifetime(t, bed)
  losing(t, bed)
  sharing(t, bed)
}

function authentication(t: Test, bed: FabricBed): void {
  t.test(`${bed.name}: a connection with a wrong token is refused and disturbs nobody`, async t => {
    const remote = bed.memory(poolSize)
    const local = bed.memory(poolSize)
    const service = await bed.fabric.listen(listenOptions(bed, remote, 1))
    const right = connectOptions(bed, service, local)
    await t.rejects(bed.fabric.connect({ ...right, tokens: [new Uint8Array(32)] }), { code: 'ERR_IN_BAND_REFUSED' })
    const lanes = await bed.fabric.connect(right)
    await service.connected
    const late = { code: /^ERR_(IN_BAND_REFUSED|PORT_UNREACHABLE)$/ }
    await t.rejects(bed.fabric.connect({ ...right, connectTimeoutMs: 2000 }), late, 'a token is good once')
    const expected = mark(local, pageSize, 100)
    lanes.persistSync(pageSize, 100)
    sameBytes(t, contentOf(remote, pageSize, 100), expected, 'the range arrived')
    t.ok(service.counters().rejectedConnections >= 1)
    await lanes.close()
    await service.close()
    local.close()
    remote.close()
  })
}

function lifetime(t: Test, bed: FabricBed): void {
  t.test(`${bed.name}: a service whose lanes do not come in time says so`, async t => {
    const remote = bed.memory(poolSize)
    const service = await bed.fabric.listen({ ...listenOptions(bed, remote, 2), acceptTimeoutMs: 50 })
    await t.rejects(service.connected, { code: 'ERR_DEADLINE' })
    await service.close()
    remote.close()
  })

  t.test(`${bed.name}: a service that is closed while it waits rejects and frees its port`, async t => {
    const remote = bed.memory(poolSize)
    const service = await bed.fabric.listen(listenOptions(bed, remote, 1))
    const waiting = t.rejects(service.connected, { code: 'ERR_CLOSED' })
    await service.close()
    await service.close()
    await waiting
    const options = connectOptions(bed, service, remote)
    await t.rejects(bed.fabric.connect({ ...options, connectTimeoutMs: 2000 }), { code: 'ERR_PORT_UNREACHABLE' })
    remote.close()
  })

  t.test(`${bed.name}: ends come and go many times without a trace`, async t => {
    for (let round = 0; round < 10; round++) {
      const { lanes, service, local, remote } = await connectPair(t, bed, 1, 2 * MiB)
      const expected = mark(local, pageSize, 64, round)
      lanes.persistSync(pageSize, 64)
      sameBytes(t, contentOf(remote, pageSize, 64), expected, 'the range arrived')
      await (round % 2 ? lanes : service).close()
    }
  })
}

function losing(t: Test, bed: FabricBed): void {
  t.test(`${bed.name}: a loss that was found elsewhere fails what is pending and what comes`, async t => {
    const { lanes } = await connectPair(t, bed)
    const heard = new Promise<Error>(resolve => lanes.onDown(resolve))
    const pending = Promise.allSettled(Array.from({ length: 100 }, () => lanes.persist(0, poolSize)))
    lanes.lose(new Error('silent for too long'))
    lanes.lose(new Error('told again'))
    for (const result of await pending)
      t.ok(result.status === 'fulfilled' || hasCode(result.reason, 'ERR_TARGET_LOST'), 'lost or done before')
    t.match(await heard, { code: 'ERR_TARGET_LOST', message: /silent for too long/ })
    t.throws(() => lanes.persistSync(pageSize, 8), { code: 'ERR_TARGET_LOST' })
    await lanes.close()
  })
}

function sharing(t: Test, bed: FabricBed): void {
  const attach = bed.attach
  if (!attach) {
    t.test(`${bed.name}: lanes say that they cannot leave their thread`, async t => {
      const { lanes } = await connectPair(t, bed)
      t.throws(() => lanes.share(), { code: 'ERR_ARGUMENT' })
    })
    return
  }

  t.test(`${bed.name}: everybody who shares lanes has one of its own as long as there are enough`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed, 3)
    const token = lanes.share()
    const [first, second, third] = [attach(token), attach(token), attach(token)]
    t.strictSame(
      [lanes, first, second, third].map(face => face.lane),
      [0, 1, 2, 0],
    )
    t.equal(third.count, 3)
    for (const [at, face] of [first, lanes, third, second].entries()) {
      const [sync, later] = [mark(local, (at + 1) * pageSize, 64, at), mark(local, (at + 9) * pageSize, 64, at)]
      face.persistSync((at + 1) * pageSize, 64)
      await face.persist((at + 9) * pageSize, 64, { lane: at % 3 })
      sameBytes(t, contentOf(remote, (at + 1) * pageSize, 64), sync, 'the range arrived')
      sameBytes(t, contentOf(remote, (at + 9) * pageSize, 64), later, 'the range arrived')
    }
    await first.close()
    const next = attach(token)
    t.equal(next.lane, 1, 'a lane that was given back is taken again')
    t.throws(() => next.persistSync(0, 8, { lane: 3 }), { code: 'ERR_LANE_RANGE' })
    t.throws(() => next.persistSync(poolSize, 8), { code: 'ERR_RANGE' })
    for (const face of [next, second, third]) await face.close()
    lanes.persistSync(pageSize, 8)
  })

  t.test(`${bed.name}: a drain covers what was flushed through the same face, and leaves the rest`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const other = attach(lanes.share())
    const expected = mark(local, pageSize, 64)
    lanes.flush(pageSize, 64, { lane: 1 })
    other.drainSync({ lane: 1 })
    await other.drain({ lane: 1 })
    sameBytes(t, contentOf(remote, pageSize, 64), new Uint8Array(64), 'nothing was sent')
    lanes.drainSync({ lane: 1 })
    sameBytes(t, contentOf(remote, pageSize, 64), expected, 'the range arrived')
    await other.close()
  })

  t.test(`${bed.name}: whoever leaves shared lanes ends its own calls and nobody else's`, async t => {
    const { lanes, local, remote } = await connectPair(t, bed)
    const leaving = attach(lanes.share())
    const [own, others] = [leaving, lanes].map(face =>
      Promise.allSettled(Array.from({ length: 200 }, (_, n) => face.persist(pageSize + n * 4096, 4096, patient))),
    )
    const ticket = leaving.start(0, poolSize, patient)
    await leaving.close()
    await leaving.close()
    for (const result of (await own) ?? [])
      t.ok(result.status === 'fulfilled' || hasCode(result.reason, 'ERR_CLOSED'), 'done or closed')
    for (const result of (await others) ?? []) t.equal(result.status, 'fulfilled')
    t.throws(() => leaving.persistSync(pageSize, 8), { code: 'ERR_CLOSED' })
    t.throws(() => leaving.share(), { code: 'ERR_CLOSED' })
    leaving.finishSync(ticket)
    const expected = mark(local, pageSize, 64, 9)
    lanes.persistSync(pageSize, 64)
    sameBytes(t, contentOf(remote, pageSize, 64), expected, 'the range arrived')
  })

  t.test(`${bed.name}: the close of whoever connected ends the lanes for all`, async t => {
    const { lanes } = await connectPair(t, bed)
    const token = lanes.share()
    const other = attach(token)
    other.onDown(() => t.fail('what was asked for is no loss'))
    const pending = Promise.allSettled(Array.from({ length: 200 }, () => other.persist(0, poolSize)))
    await lanes.close()
    for (const result of await pending)
      t.ok(result.status === 'fulfilled' || hasCode(result.reason, 'ERR_CLOSED'), 'done or closed')
    t.throws(() => other.persistSync(pageSize, 8), { code: 'ERR_CLOSED' })
    t.throws(() => other.flush(pageSize, 8), { code: 'ERR_CLOSED' })
    await t.rejects(other.drain(), { code: 'ERR_CLOSED' })
    await t.rejects(other.read(0, new Uint8Array(8)), { code: 'ERR_CLOSED' })
    t.throws(() => attach(token), { code: 'ERR_CLOSED' })
    t.throws(() => lanes.share(), { code: 'ERR_CLOSED' })
    await other.close()
  })

  for (const how of ['breaks', 'is found out by one of them']) {
    t.test(`${bed.name}: a loss that ${how} reaches all who share the lanes, also those who come late`, async t => {
      const { lanes, service } = await connectPair(t, bed)
      const token = lanes.share()
      const other = attach(token)
      const heard = Promise.all([lanes, other].map(face => new Promise<Error>(resolve => face.onDown(resolve))))
      const holding = setTimeout(() => {}, 30_000)
      if (how === 'breaks') await service.close()
      else other.lose(new Error('silent for too long'))
      for (const error of await heard) t.ok(hasCode(error, 'ERR_TARGET_LOST'))
      await lanes.close()
      t.throws(() => other.persistSync(pageSize, 8), { code: 'ERR_TARGET_LOST' }, 'lost before it was closed')
      const late = attach(lanes.share())
      t.ok(hasCode(await new Promise<Error>(resolve => late.onDown(resolve)), 'ERR_TARGET_LOST'))
      clearTimeout(holding)
      await t.rejects(late.persist(pageSize, 8), { code: 'ERR_TARGET_LOST' })
      await Promise.all([late.close(), other.close()])
    })
  }

  t.test(`${bed.name}: a token that was never given out leads nowhere`, async t => {
    const { lanes } = await connectPair(t, bed)
    const token = lanes.share()
    for (const wrong of ['', '0'.repeat(64), token.toUpperCase(), token.slice(1), undefined, 7, {}])
      t.throws(() => attach(wrong as LanesToken), { code: 'ERR_CLOSED' }, `${wrong}`)
    await attach(token).close()
  })
}
