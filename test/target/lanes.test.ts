import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { type ConnectOptions, type Lanes, NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import {
  type ControlMessage,
  decodePmdkResponse,
  encodePmdkRequest,
  laneTokens,
  type PmdkRequest,
  type PmdkRequestType,
} from '../../wire/index.js'
import { downOf } from '../fixture/down-of.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { session as captured } from '../fixture/vectors.js'
import { DaemonProcess } from './daemon-process.js'
import { attributes, create, Initiator, open } from './initiator.js'

const size = 8 * MiB

/** A poolset-dir, and memory on this side that is to be mirrored. */
function place(t: Test) {
  const dir = t.testdir({ pools: {}, parts: {} })
  const [pools, parts] = [join(dir, 'pools'), join(dir, 'parts')]
  writeFileSync(join(pools, 'single.set'), `PMEMPOOLSET\n8M ${parts}/single\n`)
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const start = (args: readonly string[] = [], env = {}) => new DaemonProcess(t, ['--poolset-dir', pools, ...args], env)
  return {
    memory,
    start,
    initiator: () => new Initiator(start(['negotiate'])),
    left: () => readdirSync(parts),
    stored: (offset: number, length: number) => readFileSync(join(parts, 'single')).subarray(offset, offset + length),
  }
}

async function connect(t: Test, options: Omit<ConnectOptions, 'address' | 'size'>): Promise<Lanes> {
  const lanes = await nativeFabric.connect({ ...options, address: '127.0.0.1', size })
  t.teardown(() => lanes.close())
  return lanes
}

function connectTo(
  t: Test,
  memory: NativeMemory,
  ready: ControlMessage<'ready'>,
  secret = ready.secret,
): Promise<Lanes> {
  const { port, method, rkey, raddr, lanes, inlineSize } = ready
  const tokens = laneTokens(secret, lanes)
  return connect(t, { provider: 'tcp', dialect: 'rpmem', memory, port, method, rkey, raddr, lanes, inlineSize, tokens })
}

/** 3 bytes a period, so that a range in the wrong place shows. */
function mark(memory: NativeMemory, offset: number, length: number): Uint8Array {
  const range = memory.view(offset, length)
  for (let at = 0; at < length; at++) range[at] = 1 + ((offset + at) % 251)
  return range.slice()
}

async function serving(it: ReturnType<typeof place>, t: Test, message: typeof create | typeof open = create) {
  const initiator = it.initiator()
  await initiator.begin()
  initiator.say(message)
  const ready = await initiator.hear('ready')
  return { initiator, ready, lanes: await connectTo(t, it.memory, ready) }
}

t.test('what is persisted lies in the part', async t => {
  const it = place(t)
  const { initiator, lanes } = await serving(it, t)
  for (const [offset, length] of [
    [4096, 8],
    [5000, 777],
    [MiB, MiB + 3],
    [size - 64, 64],
  ] as const) {
    const bytes = mark(it.memory, offset, length)
    lanes.persistSync(offset, length)
    sameBytes(t, it.stored(offset, length), bytes, `${length} bytes at ${offset}`)
  }
  await lanes.close()
  initiator.say({ type: 'close', id: 2, remove: false })
  await initiator.hear('done')
  t.equal(await initiator.channel.ended, 0)
  t.strictSame(it.left(), ['single'])
})

t.test('pong tells the lanes that are up', async t => {
  const it = place(t)
  const { initiator } = await serving(it, t)
  initiator.say({ type: 'ping', id: 7 })
  t.strictSame(await initiator.hear('pong'), { type: 'pong', id: 7, activeLanes: 2 })
  await initiator.end()
})

t.test('when the initiator is gone the pool is closed, kept, and can be opened again', async t => {
  const it = place(t)
  const first = await serving(it, t)
  const bytes = mark(it.memory, 8192, 100)
  await first.lanes.persist(8192, 100)
  const down = downOf(first.lanes)
  first.initiator.channel.input.end()
  t.equal(await first.initiator.channel.ended, 1)
  t.match(await down, { code: 'ERR_TARGET_LOST' })
  const second = await serving(it, t, open)
  t.match(second.ready.attributes, { signature: attributes.signature, major: attributes.major })
  const seen = new Uint8Array(100)
  second.lanes.readSync(8192, seen)
  sameBytes(t, seen, bytes, 'what was confirmed is there')
  second.initiator.channel.input.end()
  t.equal(await second.initiator.channel.ended, 1)
})

t.test('a signal closes a pool in service and keeps it', async t => {
  const it = place(t)
  const { initiator, lanes } = await serving(it, t)
  mark(it.memory, 4096, 8)
  lanes.persistSync(4096, 8)
  initiator.channel.child.kill('SIGTERM')
  t.equal(await initiator.channel.ended, 143)
  t.strictSame(it.left(), ['single'])
})

t.test('what was confirmed survives the death of the daemon', async t => {
  const it = place(t)
  const { initiator, lanes } = await serving(it, t)
  const bytes = mark(it.memory, 4096, 5000)
  lanes.persistSync(4096, 5000)
  initiator.channel.child.kill('SIGKILL')
  t.equal(await initiator.channel.ended, 'SIGKILL')
  sameBytes(t, it.stored(4096, 5000), bytes, 'the part')
  await t.rejects(lanes.persist(4096, 8), { code: 'ERR_TARGET_LOST' })
  const again = await serving(it, t, open)
  await again.initiator.end()
})

t.test('a connection with a foreign secret is refused, and the right one still gets in', async t => {
  const it = place(t)
  const initiator = it.initiator()
  await initiator.begin()
  initiator.say(create)
  const ready = await initiator.hear('ready')
  await t.rejects(connectTo(t, it.memory, ready, new Uint8Array(32)), { code: 'ERR_IN_BAND_REFUSED' })
  const lanes = await connectTo(t, it.memory, ready)
  lanes.persistSync(4096, 8)
  await initiator.end()
})

const foreignAddress = { SSH_CONNECTION: '127.0.0.1 1111 192.0.2.77 22' }

t.test('an address that is not one of this node is a failure that leaves nothing', async t => {
  const it = place(t)
  const initiator = new Initiator(it.start(['negotiate'], foreignAddress))
  await initiator.begin()
  initiator.say(create)
  t.match(await initiator.hear('failure'), { code: 'ERR_PORT_UNREACHABLE', facts: { address: '192.0.2.77' } })
  t.equal(await initiator.channel.ended, 0)
  t.strictSame(it.left(), [])
})

t.test('PMDK: statuses of a fabric that cannot be had are those of the captured sessions', async t => {
  for (const [vector, env] of [
    ['41-raw-provider-verbs.txt', {}],
    ['54-raw-no-ssh-connection.txt', { SSH_CONNECTION: '' }],
    ['55-raw-bad-local-address.txt', foreignAddress],
  ] as const) {
    const it = place(t)
    const [, request, answer] = captured(vector).bursts
    const daemon = it.start([], env)
    await daemon.read(4)
    daemon.input.write(request?.bytes ?? '')
    t.strictSame(await daemon.rest(), answer?.bytes, vector)
    t.equal(await daemon.ended, 0)
    t.strictSame(it.left(), [])
  }
})

/** One request of PMDK's dialect and its answer. */
async function ask<T extends PmdkRequestType>(
  daemon: DaemonProcess,
  request: PmdkRequest & { type: T },
  bytes: number,
) {
  daemon.input.write(encodePmdkRequest(request))
  return decodePmdkResponse(await daemon.read(bytes), request.type as T)
}

t.test('PMDK: lanes over sockets, from create to close', async t => {
  const it = place(t)
  const daemon = it.start()
  await daemon.read(4)
  const shape = { poolSize: size, lanes: 2, provider: 'sockets', bufferSize: 8192, poolSet: 'single.set' } as const
  const created = await ask(daemon, { type: 'create', ...shape, attributes }, 44)
  if (created.status !== 'SUCCESS') throw new Error(`create was answered with ${created.status}`)
  const shared = { provider: 'sockets', dialect: 'pmdk', memory: it.memory, inlineSize: 8192 } as const
  const lanes = await connect(t, { ...shared, ...created.inBand })
  const bytes = mark(it.memory, 4096, 100_000)
  lanes.persistSync(4096, 100_000)
  sameBytes(t, it.stored(4096, 100_000), bytes, 'the part')
  await lanes.close()
  t.strictSame(await ask(daemon, { type: 'close', remove: false }, 16), { type: 'close', status: 'SUCCESS' })
  t.equal(await daemon.ended, 0)
  t.strictSame(it.left(), ['single'])
})
