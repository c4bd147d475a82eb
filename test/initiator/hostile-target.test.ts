import t, { type Test } from 'tap'
import { type Clock, isRpmemError, MiB } from '../../core/index.js'
import type { Session } from '../../initiator/session.js'
import { startSession } from '../../initiator/session-start.js'
import { controlTable } from '../../wire/control-table.js'
import { type ControlType, encodeControl, encodeFirstWord } from '../../wire/index.js'
import { controlSamples } from '../fixture/control-samples.js'
import {
  attributesSize,
  type Field,
  getNumber,
  put,
  type RequestName,
  requestNames,
  response,
  responses,
} from '../pmdk-peer/control-bytes.js'
import { type FarEnd, ScriptedShell } from './scripted-shell.js'

/** A deadline is some turns of the event loop away, longer for what may take longer. */
const hurried: Clock = {
  nowMs: () => 0,
  after(delayMs, callback) {
    let left = delayMs < 1000 ? 4 : 16
    const turn = () => {
      if (left-- > 0) pending = setImmediate(turn)
      else callback()
    }
    let pending = setImmediate(turn)
    return () => clearImmediate(pending)
  },
}

/** What the daemon does once it has said everything. */
type Then = 'ends' | 'is silent'

/** A daemon that says the first of these at once, and the next one whenever it is asked something. */
function scripted(says: readonly Uint8Array[], then: Then) {
  let far: FarEnd | undefined
  const shell = new ScriptedShell(end => {
    far = end
    const [first = Buffer.of(), ...others] = says
    const speak = (bytes: Uint8Array) => {
      if (bytes.length > 0) end.output.write(bytes)
      if (others.length === 0 && then === 'ends') end.exit({ exitCode: 1 })
    }
    speak(first)
    end.input.on('data', () => {
      const next = others.shift()
      if (next) speak(next)
    })
  })
  return { shell, killed: () => far?.killed }
}

const pool = { poolSet: 'a.set', size: 8 * MiB, lanes: 1, provider: 'sockets', inlineSize: 8192 } as const

type Call = (session: Session) => Promise<unknown>
const calls: Readonly<Record<RequestName, Call>> = {
  create: session => session.create(pool, undefined),
  open: session => session.open(pool),
  setAttributes: session => session.setAttributes(undefined),
  close: session => session.close(false),
}

interface Outcome {
  /** Code of the error, or `answered`. */
  readonly code: string
  /** The connection was broken, so that no process is left there. */
  readonly broken: boolean
}

/** One conversation; whatever it throws that is no RpmemError fails the test. */
async function outcome(t: Test, says: readonly Uint8Array[], then: Then, call: Call): Promise<Outcome> {
  const { shell, killed } = scripted(says, then)
  let broken = false
  try {
    const session = await startSession({ shell, command: 'rpmemd', clock: hurried })
    void killed()?.then(() => {
      broken = true
    })
    await call(session)
    return { code: 'answered', broken }
  } catch (error) {
    if (!isRpmemError(error)) throw error
    t.not(error.message, '', 'the error says something')
    await new Promise(setImmediate)
    return { code: error.code, broken }
  }
}

const word = encodeFirstWord('pmdk')
const inBand = { port: 7000, method: 1, rkey: 1, raddr: 4096, lanes: 1 }
/** The answer that would be right. */
const answer = (name: RequestName): Uint8Array =>
  response(
    name,
    name === 'create'
      ? inBand
      : name === 'open'
        ? { ...inBand, attributes: new Uint8Array(attributesSize).fill(1) }
        : {},
  )

for (const name of requestNames)
  t.test(`an answer to ${name} that ends at any byte is a lost connection, or a silence that ends`, async t => {
    const whole = answer(name)
    t.equal((await outcome(t, [word, whole], 'is silent', calls[name])).code, 'answered', 'all of it is an answer')
    for (let length = 0; length < whole.length; length++) {
      const cut = [word, whole.subarray(0, length)]
      t.equal((await outcome(t, cut, 'ends', calls[name])).code, 'ERR_CONTROL_LOST', `the end after ${length} bytes`)
      const silent = await outcome(t, cut, 'is silent', calls[name])
      t.strictSame(silent, { code: 'ERR_DEADLINE', broken: true }, `silence after ${length} bytes`)
    }
  })

/** What must not be believed in a field of this meaning. */
const wrongValues: Readonly<Record<string, readonly bigint[]>> = {
  size: [0n, 1n, 15n, 17n, 45n, 147n, 149n, 1n << 31n, 1n << 32n, 1n << 53n, (1n << 64n) - 1n],
  type: [0n, 1n, 3n, 9n, 0x1001n, 0xffff_ffffn],
  status: [14n, 255n, 0xffff_ffffn],
  port: [0n, 65_536n, 0xffff_ffffn],
  choice: [0n, 3n, 1n << 24n, 0xffff_ffffn],
}

for (const name of requestNames)
  for (const [field, place] of Object.entries<Field>(responses[name].fields)) {
    const wrong = wrongValues[place.meaning] ?? []
    if (wrong.length === 0) continue
    t.test(`a wrong ${field} of an answer to ${name} is ERR_PROTOCOL`, async t => {
      for (const value of wrong) {
        const bent = answer(name)
        put(bent, place, value)
        const { code } = await outcome(t, [word, bent], 'is silent', calls[name])
        t.equal(code, 'ERR_PROTOCOL', `${value} instead of ${getNumber(answer(name), place)}`)
      }
    })
  }

t.test('an answer to another request is ERR_PROTOCOL', async t => {
  for (const asked of requestNames)
    for (const answered of requestNames.filter(name => name !== asked)) {
      const { code } = await outcome(t, [word, answer(answered)], 'is silent', calls[asked])
      t.equal(code, 'ERR_PROTOCOL', `${answered} instead of ${asked}`)
    }
})

t.test('an answer that nobody asked for ends the session', async t => {
  for (const name of requestNames)
    for (const unasked of requestNames) {
      const early = await outcome(t, [Buffer.concat([word, answer(unasked)]), answer(name)], 'is silent', calls[name])
      t.strictSame(early, { code: 'ERR_PROTOCOL', broken: true }, `${unasked} before ${name}`)
      const call: Call = async session => {
        const lost = new Promise<Error>(resolve => session.onLost(resolve))
        await calls.open(session).catch(() => {})
        throw await lost
      }
      const late = await outcome(t, [word, Buffer.concat([answer('open'), answer(unasked)])], 'is silent', call)
      t.strictSame(late, { code: 'ERR_PROTOCOL', broken: true }, `${unasked} behind open`)
    }
})

t.test('garbage before the first word is ERR_REMOTE_NOISE, however little it is', async t => {
  for (let length = 1; length < 9; length++) {
    const garbage = new Uint8Array(length).fill(0xff)
    for (const first of [word, encodeFirstWord('rpmem')]) {
      // A single byte and three of zero are the errno of a failed start.
      if (length === 1 && first === word) continue
      const { code } = await outcome(t, [Buffer.concat([garbage, first])], 'is silent', calls.open)
      t.equal(code, 'ERR_REMOTE_NOISE', `${length} bytes`)
    }
  }
})

t.test('a stray word behind an answer, as rpmemd leaves one when its session ends badly, is no message', async t => {
  const stray = Buffer.from([2, 0, 0, 0])
  const { code } = await outcome(t, [word, Buffer.concat([answer('close'), stray])], 'ends', calls.close)
  t.equal(code, 'answered')
})

interface Answered {
  /** What the daemon has said before. */
  readonly before: readonly Uint8Array[]
  readonly call: Call
  /** Who asks waits as long as the watchdog does, and has no deadline of its own. */
  readonly watched?: boolean
}

/** What is asked so that this message is the answer. */
const rpmemCalls: Readonly<Partial<Record<ControlType, Answered>>> = (() => {
  const start = Buffer.concat([encodeFirstWord('rpmem'), encodeControl(controlSamples.hello)])
  // The initiator says accept before it asks, and nothing answers that.
  const before = [start, Buffer.of()]
  return {
    hello: { before: [], call: async () => {} },
    ready: { before, call: calls.open },
    failure: { before, call: calls.open },
    done: { before, call: calls.setAttributes },
    pong: { before, call: async session => session.ping?.(), watched: true },
    blockSums: { before, call: async session => session.sums?.(0, 8192, 4096) },
  }
})()

const toTarget: readonly ControlType[] = ['accept', 'create', 'open', 'setAttributes', 'adopt', 'sums', 'ping', 'close']

t.test('every message of the rpmem dialect is one that goes to the target or one that is bent here', async t => {
  t.strictSame([...toTarget, ...Object.keys(rpmemCalls)].sort(), Object.keys(controlTable).sort())
})

/** The sample as the answer to the first request of a session, whose id is 1. */
function bodyOf(type: ControlType): Record<string, unknown> {
  const body = JSON.parse(Buffer.from(encodeControl(controlSamples[type])).subarray(12).toString())
  return 'id' in body ? { ...body, id: 1 } : body
}

function controlFrame(type: ControlType, body: unknown): Uint8Array {
  const text = Buffer.from(JSON.stringify(body))
  const frame = new Uint8Array(12 + text.length)
  frame.set(text, 12)
  const view = new DataView(frame.buffer)
  view.setUint32(0, controlTable[type].value)
  view.setBigUint64(4, BigInt(frame.length))
  return frame
}

const nonsense = [null, true, -1, 0.5, 1e300, '', 'x', 'x'.repeat(5000), [], [null], {}, { x: 1 }, '0'.repeat(64)]

for (const [name, row] of Object.entries(rpmemCalls)) {
  const type = name as ControlType
  const { before, call, watched = false } = row
  const first = type === 'hello' ? encodeFirstWord('rpmem') : Buffer.of()
  const told = (frame: Uint8Array) => [...before, Buffer.concat([first, frame])]

  t.test(`${type}, cut at any byte, is a lost connection, or a silence that ends`, async t => {
    const whole = controlFrame(type, bodyOf(type))
    for (let length = 0; length < whole.length; length++) {
      const cut = told(whole.subarray(0, length))
      const ended = await outcome(t, cut, 'ends', call)
      t.equal(ended.code, 'ERR_CONTROL_LOST', `the end after ${length} bytes`)
      if (watched) continue
      const silent = await outcome(t, cut, 'is silent', call)
      t.equal(silent.code, 'ERR_DEADLINE', `silence after ${length} bytes`)
    }
  })

  t.test(`a field of ${type} that is missing or nonsense is a clear error or harmless`, async t => {
    const body = bodyOf(type)
    for (const [field, kind] of Object.entries(controlTable[type].fields)) {
      const { [field]: _, ...without } = body
      const missing = await outcome(t, told(controlFrame(type, without)), 'is silent', call)
      if (!('optional' in kind)) t.equal(missing.code, 'ERR_PROTOCOL', `without ${field}`)
      for (const value of nonsense) {
        const { code } = await outcome(t, told(controlFrame(type, { ...body, [field]: value })), 'is silent', call)
        t.ok(code === 'answered' || code.startsWith('ERR_'), `${field} ${JSON.stringify(value).slice(0, 20)}: ${code}`)
      }
    }
    for (const size of wrongValues.size ?? []) {
      const bent = controlFrame(type, body)
      new DataView(bent.buffer).setBigUint64(4, size)
      const { code } = await outcome(t, told(bent), 'ends', call)
      t.ok(['ERR_PROTOCOL', 'ERR_CONTROL_LOST'].includes(code), `size ${size}: ${code}`)
    }
  })
}
