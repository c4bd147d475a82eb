import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { MiB, type Random, seededRandom } from '../../core/index.js'
import { NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { checkHeaders } from '../../pool/header-check.js'
import { type ControlMessage, laneTokens } from '../../wire/index.js'
import { DaemonProcess } from './daemon-process.js'
import { create, Initiator, open } from './initiator.js'

/** Two daemons that are asked for the same pool at once. What happens inside one of them is test/pool/simultaneous.test.ts. */

const seed = Number(process.env.RPMEM_TEST_SEED ?? 1)
const rounds = 8
const size = 8 * MiB
const partNames = ['one', 'two', 'three']

interface Place {
  readonly parts: string
  start(...args: string[]): DaemonProcess
  initiator(): Promise<Initiator<DaemonProcess>>
}

function place(t: Test): Place {
  const dir = t.testdir({ pools: {}, parts: {} })
  const [pools, parts] = [join(dir, 'pools'), join(dir, 'parts')]
  const lines = partNames.map(name => `3M ${parts}/${name}`)
  writeFileSync(join(pools, 'single.set'), ['PMEMPOOLSET', ...lines, ''].join('\n'))
  const start = (...args: string[]) => new DaemonProcess(t, ['--poolset-dir', pools, `--log-file=${dir}/log`, ...args])
  return {
    ...{ parts, start },
    async initiator() {
      const ours = new Initiator(start('negotiate'))
      await ours.begin()
      return ours
    },
  }
}

/** A number from 0 up to 1 of the seed's sequence. */
const draw = (random: Random): number => (random.bytes(1)[0] ?? 0) / 256

function isWhole(t: Test, { parts }: Place): void {
  t.strictSame(readdirSync(parts).sort(), [...partNames].sort(), 'the parts and nothing else')
  const files = partNames.map(name => join(parts, name)).filter(path => existsSync(path))
  for (const path of files) t.equal(statSync(path).size, 3 * MiB)
  t.equal(checkHeaders(files.map(path => ({ path, page: readFileSync(path).subarray(0, 4096) }))).length, 3)
}

/** Connects the lanes, so that the pool counts as created, and closes. */
async function serveAndClose(t: Test, winner: Initiator<DaemonProcess>, ready: ControlMessage<'ready'>): Promise<void> {
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const { port, method, rkey, raddr, lanes: count, inlineSize } = ready
  const tokens = laneTokens(ready.secret, count)
  const shape = { provider: 'tcp', dialect: 'rpmem', address: '127.0.0.1', memory, size, lanes: count } as const
  const lanes = await nativeFabric.connect({ ...shape, port, method, rkey, raddr, inlineSize, tokens })
  await lanes.persist(4096, 100)
  await lanes.close()
  winner.say({ type: 'close', id: 2, remove: false })
  await winner.hear('done')
  t.equal(await winner.channel.ended, 0)
}

type Asking = 'create' | 'open'

/** Both ask, the second some microseconds to milliseconds later; exactly one is served. */
async function oneOfTwo(t: Test, at: Place, asking: readonly [Asking, Asking], random: Random): Promise<Asking> {
  const both = await Promise.all([at.initiator(), at.initiator()])
  const answers = await Promise.all(
    both.map(async (initiator, n) => {
      if (n === 1) await pause(draw(random) * 6)
      initiator.say(asking[n] === 'create' ? create : open)
      return initiator.next()
    }),
  )
  const served = answers.flatMap((answer, n) => (answer.type === 'ready' ? [{ answer, n }] : []))
  t.equal(served.length, 1, `exactly one is served: ${answers.map(answer => answer.type)}`)
  for (const [n, answer] of answers.entries()) {
    if (answer.type === 'ready') continue
    t.match(answer, { type: 'failure', code: /^ERR_POOL_BUSY|ERR_PART_MISSING$/, message: /\/one / })
    t.equal(await both[n]?.channel.ended, 0, 'who is refused ends')
  }
  const [winner] = served
  const initiator = both[winner?.n ?? 0]
  isWhole(t, at)
  if (winner && initiator) await serveAndClose(t, initiator, winner.answer)
  isWhole(t, at)
  return asking[winner?.n ?? 0] ?? 'create'
}

const bed = { timeout: 110_000 }

t.test(`of two daemons that create the same pool at once, one does; the pool is whole, seed ${seed}`, bed, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    await oneOfTwo(t, place(t), ['create', 'create'], random)
  }
})

t.test(`of two daemons that open the same pool at once, one does, seed ${seed}`, bed, async t => {
  const random = seededRandom(seed)
  const at = place(t)
  await oneOfTwo(t, at, ['create', 'open'], random)
  for (let round = 0; round < rounds; round++) await oneOfTwo(t, at, ['open', 'open'], random)
})

t.test(`a daemon that opens while another creates hinders nobody, seed ${seed}`, bed, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    const asking: [Asking, Asking] = round % 2 === 0 ? ['create', 'open'] : ['open', 'create']
    t.equal(await oneOfTwo(t, place(t), asking, random), 'create', 'there is nothing to be opened yet')
  }
})

t.test(`a pool is opened by one daemon or removed by another, never both, seed ${seed}`, bed, async t => {
  const random = seededRandom(seed)
  for (let round = 0; round < rounds; round++) {
    const at = place(t)
    const maker = await at.initiator()
    maker.say(create)
    await serveAndClose(t, maker, await maker.hear('ready'))
    const opener = await at.initiator()
    const removal = at.start('--remove', 'single.set')
    await pause(150 + draw(random) * 250)
    opener.say(open)
    const answer = await opener.next()
    const status = await removal.ended
    if (answer.type === 'ready') {
      t.equal(status, 11, 'a pool in use is not removed')
      isWhole(t, at)
      await serveAndClose(t, opener, answer)
    } else {
      t.match(answer, { code: /^ERR_POOL_BUSY|ERR_PART_MISSING$/ })
      t.equal(status, 0, 'what could not be opened has been removed')
      t.strictSame(readdirSync(at.parts), [])
    }
  }
})
