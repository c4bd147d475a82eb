import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { type ConnectOptions, type Lanes, NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { decodePmdkResponse, encodePmdkRequest, type InBand, laneTokens } from '../../wire/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { DaemonProcess } from './daemon-process.js'
import { attributes, create, Initiator } from './initiator.js'

/** Who may use the data port of the real daemon, and who may not. Over loopback every address 127.x.y.z reaches the node. */

const size = 8 * MiB
const stranger = fileURLToPath(new URL('stranger-child.js', import.meta.url))

interface Bed {
  readonly memory: NativeMemory
  start(args: readonly string[], connection?: string): DaemonProcess
  left(): string[]
  stored(offset: number, length: number): Uint8Array
}

function bed(t: Test): Bed {
  const dir = t.testdir({ pools: {}, parts: {} })
  const [pools, parts] = [join(dir, 'pools'), join(dir, 'parts')]
  writeFileSync(join(pools, 'single.set'), `PMEMPOOLSET\n8M ${parts}/single\n`)
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const log = join(dir, 'log')
  return {
    memory,
    start: (args, connection = '127.0.0.1 1111 127.0.0.1 2222') =>
      new DaemonProcess(t, ['--poolset-dir', pools, '--log-file', log, ...args], { SSH_CONNECTION: connection }),
    left: () => readdirSync(parts),
    stored: (offset, length) => readFileSync(join(parts, 'single')).subarray(offset, offset + length),
  }
}

async function lanesTo(t: Test, options: Omit<ConnectOptions, 'address' | 'size'>): Promise<Lanes> {
  const lanes = await nativeFabric.connect({ ...options, address: '127.0.0.1', size })
  t.teardown(() => lanes.close())
  return lanes
}

/** A pool that a PMDK initiator has created; it may connect two lanes. */
async function pmdk(it: Bed, connection?: string) {
  const daemon = it.start([], connection)
  await daemon.read(4)
  const shape = { poolSize: size, lanes: 2, provider: 'sockets', bufferSize: 8192, poolSet: 'single.set' } as const
  daemon.input.write(encodePmdkRequest({ type: 'create', ...shape, attributes }))
  const answer = decodePmdkResponse(await daemon.read(44), 'create')
  if (answer.status !== 'SUCCESS') throw new Error(`create was answered with ${answer.status}`)
  const { inBand } = answer
  const lanes = (t: Test, more: Partial<InBand> = {}) =>
    lanesTo(t, { provider: 'sockets', dialect: 'pmdk', memory: it.memory, inlineSize: 8192, ...inBand, ...more })
  const close = async () => {
    daemon.input.write(encodePmdkRequest({ type: 'close', remove: false }))
    return decodePmdkResponse(await daemon.read(16), 'close').status
  }
  return { daemon, inBand, lanes, close }
}

/** A pool that one of our initiators has created; it may connect two lanes, with the tokens of its secret. */
async function ours(it: Bed) {
  const initiator = new Initiator(it.start(['negotiate']))
  await initiator.begin()
  initiator.say(create)
  const { port, method, rkey, raddr, lanes: count, inlineSize, secret } = await initiator.hear('ready')
  const grant = { provider: 'tcp', dialect: 'rpmem', memory: it.memory, port, method, rkey, raddr, inlineSize } as const
  const lanes = (t: Test, tokens = laneTokens(secret, count)) => lanesTo(t, { ...grant, lanes: tokens.length, tokens })
  return { initiator, port, lanes, secret }
}

const turnedAway = { code: /^ERR_(IN_BAND_REFUSED|PORT_UNREACHABLE|DEADLINE)$/ }

async function works(t: Test, it: Bed, lanes: Lanes): Promise<void> {
  const range = it.memory.view(4096, 20_000)
  for (let at = 0; at < range.length; at++) range[at] = 1 + (at % 251)
  for (let lane = 0; lane < lanes.count; lane++) await lanes.persist(4096 + lane * 10_000, 10_000, { lane })
  sameBytes(t, it.stored(4096, 20_000), range, 'what the initiator has persisted is in the part')
}

/** Connections that keep silent, or speak something else, and stay until the test ends. */
async function callers(t: Test, port: number): Promise<void> {
  const words = ['', '\0', 'GET / HTTP/1.1\r\n\r\n', '\xff'.repeat(4096)]
  await Promise.all(
    words.map(
      text =>
        new Promise<void>((resolve, reject) => {
          const socket: Socket = connect(port, '127.0.0.1', () => {
            socket.off('error', reject).on('error', () => {})
            socket.write(Buffer.from(text, 'latin1'), () => resolve())
          })
          socket.once('error', reject)
          t.teardown(() => socket.destroy())
        }),
    ),
  )
}

t.test('PMDK: lanes that come from another address than the SSH peer are refused, and the pool is gone', async t => {
  const it = bed(t)
  const { daemon, lanes, close } = await pmdk(it, '127.0.0.2 1111 127.0.0.1 2222')
  await t.rejects(lanes(t), turnedAway)
  t.equal(await close(), 'FATAL')
  t.equal(await daemon.ended, 0)
  t.strictSame(it.left(), [])
})

t.test('PMDK: a lane more than were granted is refused, and the others go on', async t => {
  const it = bed(t)
  const { daemon, inBand, lanes, close } = await pmdk(it)
  const granted = await lanes(t)
  // From another process: in one process a refused connection may take others with it, as the provider closes its socket twice.
  const { port, rkey, raddr } = inBand
  const late = spawn(process.execPath, [stranger, String(port), String(rkey), String(raddr)], { stdio: 'pipe' })
  const [said] = await once(late.stdout, 'data')
  t.match(String(said), turnedAway.code)
  await works(t, it, granted)
  await granted.close()
  t.equal(await close(), 'SUCCESS')
  t.equal(await daemon.ended, 0)
})

t.test('PMDK: callers that do not speak the protocol of the fabric keep no lane out', async t => {
  const it = bed(t)
  const { daemon, inBand, lanes, close } = await pmdk(it)
  await callers(t, inBand.port)
  const granted = await lanes(t)
  await works(t, it, granted)
  await granted.close()
  t.equal(await close(), 'SUCCESS')
  t.equal(await daemon.ended, 0)
})

t.test('callers that do not speak the protocol of the fabric keep no lane out', async t => {
  const it = bed(t)
  const { initiator, port, lanes } = await ours(it)
  await callers(t, port)
  const granted = await lanes(t)
  await works(t, it, granted)
  t.equal(await initiator.end(), 1)
})

t.test('a lane without the secret gets nothing, before and after the right ones', async t => {
  const it = bed(t)
  const { initiator, lanes, secret } = await ours(it)
  const wrong = [
    laneTokens(new Uint8Array(32), 1),
    laneTokens(new Uint8Array(32).fill(0xff), 1),
    laneTokens(secret, 1).map(token => token.with(31, (token[31] ?? 0) ^ 1)),
    laneTokens(secret, 2).reverse(),
  ]
  for (const tokens of wrong) await t.rejects(lanes(t, tokens), turnedAway)
  const granted = await lanes(t)
  for (const tokens of wrong) await t.rejects(lanes(t, tokens), turnedAway)
  await t.rejects(lanes(t), turnedAway, 'a token counts once')
  await works(t, it, granted)
  t.equal(await initiator.end(), 1)
})
