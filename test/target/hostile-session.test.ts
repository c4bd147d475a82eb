import fc from 'fast-check'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { controlTable } from '../../wire/control-table.js'
import { encodeControl } from '../../wire/index.js'
import { pmdkRequestTypes } from '../../wire/pmdk-request.js'
import { controlSamples } from '../fixture/control-samples.js'
import {
  attributesSize,
  type Field,
  getNumber,
  put,
  type RequestName,
  request,
  requestNames,
  requests,
  responses,
} from '../pmdk-peer/control-bytes.js'
import { type Bed, bed, talk } from './session-bed.js'

/** One fixed seed, so that a failure can be repeated. */
const seed = 20_261_120

const common = { poolSize: 8 * MiB, lanes: 2 }
/** As librpmem would send them, written without our encoder. */
const pmdkMessage = (name: RequestName): Uint8Array => request(name, { ...common, attributes: pattern }, 'single.set')
const pattern = Uint8Array.from({ length: attributesSize }, (_, at) => (at >= 12 && at < 24 ? 0 : at + 1))
const [pmdkCreate, pmdkOpen, close, setAttributes] = (['create', 'open', 'close', 'setAttributes'] as const).map(
  pmdkMessage,
) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
const control = Object.values(controlSamples)
/** In the order of a conversation. */
const conversation = (['accept', 'create', 'setAttributes', 'ping', 'close'] as const).map(type => controlSamples[type])

interface Outcome {
  readonly code: number
  readonly output: Uint8Array
}

/** Sends these bytes and the end of the input, and waits for the daemon to end. */
async function outcome(it: Bed, dialect: 'pmdk' | 'rpmem', ...bytes: readonly Uint8Array[]): Promise<Outcome> {
  const daemon = talk(it.node, dialect)
  for (const piece of bytes) daemon.input.write(piece)
  daemon.input.end()
  return { code: await daemon.ended, output: await daemon.rest() }
}

/** Nothing is left of a session whose lanes never came. */
function leavesNothing(t: Test, it: Bed, name: string): void {
  t.strictSame([it.partFiles(), it.released()], [[], true], name)
}

/** A bed whose sessions do not wait for lanes, so that hundreds of them are quick. */
const hurried = (t: Test): Bed =>
  bed(t, {
    clock: {
      nowMs: () => 0,
      after(delayMs, callback) {
        if (delayMs < 1000) queueMicrotask(callback)
        return () => {}
      },
    },
  })

t.test('a message cut at any byte ends the session with 255 and without an answer', async t => {
  for (const message of requestNames.map(pmdkMessage)) {
    const it = hurried(t)
    const codes = new Set<number>()
    for (let length = 1; length < message.length; length++) {
      const { code, output } = await outcome(it, 'pmdk', message.subarray(0, length))
      codes.add(code).add(output.length)
    }
    t.strictSame([...codes], [255, 4], `the status word and nothing else, of ${message.length} bytes`)
    leavesNothing(t, it, 'nothing is left')
  }
})

t.test('a control message cut at any byte ends the session with 255', async t => {
  const it = hurried(t)
  for (const message of control.map(encodeControl)) {
    const codes = new Set<number>()
    for (let length = 1; length < message.length; length++)
      codes.add((await outcome(it, 'rpmem', message.subarray(0, length))).code)
    t.strictSame([...codes], [255])
  }
  leavesNothing(t, it, 'nothing is left')
})

t.test('every message that our daemon knows is one that is bent here', async t => {
  const types = Object.fromEntries(requestNames.map(name => [name, requests[name].type]))
  t.strictSame(types, { ...pmdkRequestTypes })
  t.strictSame(Object.keys(controlSamples).sort(), Object.keys(controlTable).sort())
})

/** What must not be believed where the right value is this one. */
const wrongValues: Readonly<Record<string, (right: number, { size }: Field) => bigint[]>> = {
  size: (right, { size }) =>
    [
      0n,
      1n,
      11n,
      12n,
      15n,
      42n,
      BigInt(right) - 1n,
      BigInt(right) + 1n,
      4097n,
      1n << 31n,
      1n << 32n,
      1n << 53n,
      -1n,
    ].map(value => BigInt.asUintN(size * 8, value)),
  type: () => [0n, 2n, 4n, 6n, 8n, 9n, 0x1001n, 0xffff_ffffn],
  version: (right, { size }) => [BigInt(1 - right), 2n, 0xffffn].map(value => BigInt.asUintN(size * 8, value)),
  choice: () => [0n, 3n, 256n, 1n << 24n, 0xffff_ffffn],
}

for (const name of requestNames)
  for (const [field, place] of Object.entries<Field>(requests[name].fields)) {
    const wrong = wrongValues[place.meaning]?.(getNumber(pmdkMessage(name), place), place) ?? []
    const right = BigInt(getNumber(pmdkMessage(name), place))
    if (wrong.length === 0) continue
    t.test(`a wrong ${field} of ${name} ends the session with 255 and without an answer`, async t => {
      const it = hurried(t)
      for (const value of wrong.filter(value => value !== right)) {
        const bent = pmdkMessage(name)
        put(bent, place, value)
        const { code, output } = await outcome(it, 'pmdk', bent)
        t.strictSame([code, output.length], [255, 4], `${value} instead of ${right}`)
      }
      leavesNothing(t, it, 'nothing is left')
    })
  }

t.test('a wrong header of a control message is never believed', async t => {
  const it = hurried(t)
  const bentTo = async (message: Uint8Array, bend: (view: DataView) => void) => {
    const bent = message.slice()
    bend(new DataView(bent.buffer))
    return (await outcome(it, 'rpmem', bent)).code
  }
  for (const message of control.map(encodeControl)) {
    const place = { at: 4, size: 8, order: 'big', meaning: 'size' } as const
    for (const size of wrongValues.size?.(message.length, place) ?? [])
      if (size !== BigInt(message.length))
        t.equal(await bentTo(message, view => view.setBigUint64(4, size)), 255, `${size} instead of ${message.length}`)
    for (const type of [0, 1, 0x1000, 0x1fff, 0xffff_ffff])
      t.equal(await bentTo(message, view => view.setUint32(0, type)), 255, `type ${type}`)
  }
  leavesNothing(t, it, 'nothing is left')
})

/** A control message with this body, whatever it is. */
function controlFrame(type: keyof typeof controlTable, body: unknown): Uint8Array {
  const text = Buffer.from(JSON.stringify(body))
  const frame = new Uint8Array(12 + text.length)
  frame.set(text, 12)
  const view = new DataView(frame.buffer)
  view.setUint32(0, controlTable[type].value)
  view.setBigUint64(4, BigInt(frame.length))
  return frame
}

const nonsense = [
  null,
  true,
  -1,
  0.5,
  1e300,
  '',
  'x',
  '../x',
  'x'.repeat(5000),
  [],
  [null],
  {},
  { x: 1 },
  '0'.repeat(64),
]

for (const sample of control) {
  const { type } = sample
  t.test(`a field of ${type} that is missing or nonsense ends the session in order`, async t => {
    const it = hurried(t)
    const body = JSON.parse(Buffer.from(encodeControl(sample)).subarray(12).toString())
    // Before accept nothing else is heard, and before create nothing but that can be served.
    const before = type === 'accept' ? [] : [encodeControl(controlSamples.accept)]
    for (const [field, kind] of Object.entries(controlTable[type].fields)) {
      const { [field]: _, ...without } = body
      const missing = await outcome(it, 'rpmem', ...before, controlFrame(type, without))
      if (!('optional' in kind)) t.equal(missing.code, 255, `without ${field}`)
      for (const value of nonsense) {
        const { code } = await outcome(it, 'rpmem', ...before, controlFrame(type, { ...body, [field]: value }))
        t.ok([0, 1, 255].includes(code), `${field} ${JSON.stringify(value).slice(0, 20)} ends with ${code}`)
      }
    }
    for (const whole of [...nonsense.filter(value => JSON.stringify(value) !== '{}'), {}])
      t.equal((await outcome(it, 'rpmem', ...before, controlFrame(type, whole))).code, 255, 'another body')
    t.notOk(it.logged.some(([, message]) => /bug/.test(message)))
    leavesNothing(t, it, 'nothing is left')
  })
}

/** What rpmemd answers to these requests when no lane is ever connected: one status each, until the conversation is over. */
function statuses(names: readonly RequestName[]): { readonly answers: [RequestName, number][]; readonly code: number } {
  const answers: [RequestName, number][] = []
  const [SUCCESS, FATAL, EXISTING] = [0, 6, 11]
  let serving = false
  for (const name of names) {
    const begins = name === 'create' || name === 'open'
    const status = begins
      ? serving
        ? FATAL
        : name === 'create'
          ? SUCCESS
          : EXISTING
      : serving && name !== 'close'
        ? SUCCESS
        : FATAL
    answers.push([name, status])
    if (name === 'close' || (begins && status !== SUCCESS)) return { answers, code: 0 }
    serving ||= begins
  }
  return { answers, code: 1 }
}

t.test('messages in any order, all at once, have the answers of rpmemd and leave nothing', async t => {
  const sequences = requestNames.flatMap(first =>
    requestNames.flatMap(second => [[first, second], ...requestNames.map(third => [first, second, third])]),
  )
  for (const names of [...requestNames.map(name => [name]), ...sequences]) {
    const it = hurried(t)
    const { code, output } = await outcome(it, 'pmdk', Buffer.concat(names.map(pmdkMessage)))
    const expected = statuses(names)
    let at = 4
    const seen = expected.answers.map(([name]) => {
      const status = getNumber(output.subarray(at), responses[name].fields.status)
      at += responses[name].size
      return [name, status]
    })
    t.strictSame([seen, at, code], [expected.answers, output.length, expected.code], names.join(', '))
    leavesNothing(t, it, names.join(', '))
  }
})

t.test('control messages in any order end the session and leave nothing', async t => {
  for (const first of control)
    for (const second of control) {
      const it = hurried(t)
      const messages = [controlSamples.accept, first, second].map(encodeControl)
      const { code } = await outcome(it, 'rpmem', Buffer.concat(messages))
      t.ok([0, 1, 255].includes(code), `${first.type}, ${second.type}: ${code}`)
      leavesNothing(t, it, `${first.type}, ${second.type}`)
    }
})

t.test('garbage before a message ends the session, however little it is', async t => {
  const it = hurried(t)
  for (let length = 1; length < 13; length++) {
    const garbage = new Uint8Array(length).fill(0xff)
    t.equal((await outcome(it, 'pmdk', garbage, pmdkCreate)).code, 255)
    t.equal((await outcome(it, 'rpmem', garbage, encodeControl(controlSamples.accept))).code, 255)
  }
  leavesNothing(t, it, 'nothing is left')
})

t.test('silence after any byte of the first message ends the session', async t => {
  // Every wait is over at once, that for the initiator too.
  const nowhere = bed(t, {
    clock: {
      nowMs: () => 0,
      after(_delayMs, callback) {
        const pending = setImmediate(callback)
        return () => clearImmediate(pending)
      },
    },
  })
  const messages = [
    ...requestNames.map(name => ['pmdk', pmdkMessage(name)] as const),
    ['rpmem', encodeControl(controlSamples.accept)] as const,
  ]
  for (const [dialect, message] of messages) {
    const codes = new Set<number>()
    for (let length = 0; length < message.length; length++) {
      const daemon = talk(nowhere.node, dialect)
      daemon.input.write(message.subarray(0, length))
      codes.add(await daemon.ended)
    }
    t.strictSame([...codes], [1], `${dialect}, ${message.length} bytes`)
  }
  leavesNothing(t, nowhere, 'nothing is left')
})

t.test('absurd sizes, lanes and inline data are refused with a status', async t => {
  const rows: [string, number, number, number | bigint][] = [
    ['pool size', 16, 3, 1n << 52n],
    ['no size', 16, 6, 0n],
    ['lanes', 24, 4, 0],
    ['inline data', 32, 6, 1n << 52n],
  ]
  for (const [name, at, status, value] of rows) {
    const it = hurried(t)
    const bent = pmdkCreate.slice()
    const view = new DataView(bent.buffer)
    if (typeof value === 'bigint') view.setBigUint64(at, value)
    else view.setUint32(at, value)
    const { code, output } = await outcome(it, 'pmdk', bent)
    t.equal(code, 0, name)
    t.equal(new DataView(output.buffer, output.byteOffset).getUint32(4), status, name)
    t.equal(output.length, 4 + 44, 'an error has the full length')
    leavesNothing(t, it, name)
  }
})

t.test('a second create or open is answered with FATAL and ends the session', async t => {
  for (const second of [pmdkCreate, pmdkOpen]) {
    const it = hurried(t)
    const { code, output } = await outcome(it, 'pmdk', pmdkCreate, second)
    t.equal(code, 0)
    t.equal(new DataView(output.buffer, output.byteOffset).getUint32(4 + 44), 6)
    leavesNothing(t, it, 'the lanes never came')
  }
})

t.test('messages split at any byte mean the same', async t => {
  const stream = Buffer.concat([pmdkCreate, setAttributes, close])
  const whole = hurried(t)
  const expected = await outcome(whole, 'pmdk', stream)
  t.equal(expected.output.length, 4 + 44 + 16 + 16)
  for (const size of [1, 2, 3, 7, 13, 160, 161]) {
    const it = hurried(t)
    const pieces = Array.from({ length: Math.ceil(stream.length / size) }, (_, at) =>
      stream.subarray(at * size, (at + 1) * size),
    )
    const { code, output } = await outcome(it, 'pmdk', ...pieces)
    t.equal(code, expected.code)
    t.equal(output.length, expected.output.length)
    leavesNothing(t, it, `pieces of ${size}`)
  }
})

t.test('garbage ends the session and nothing else', async t => {
  const it = hurried(t)
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 })
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom('pmdk', 'rpmem'), async (garbage, dialect) => {
      const { code } = await outcome(it, dialect, garbage)
      return code === 255
    }),
    { seed, numRuns: 300 },
  )
  leavesNothing(t, it, 'nothing is left')
})

t.test('a valid conversation with any byte changed never fails the daemon', async t => {
  const streams = {
    pmdk: Buffer.concat([pmdkCreate, setAttributes, close]),
    rpmem: Buffer.concat(conversation.map(encodeControl)),
  }
  const it = hurried(t)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('pmdk', 'rpmem'),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (dialect, where, bits) => {
        const bent = new Uint8Array(streams[dialect])
        const at = where % bent.length
        bent[at] = (bent[at] ?? 0) ^ bits
        const { code } = await outcome(it, dialect, bent)
        return [0, 1, 255].includes(code) && it.released()
      },
    ),
    { seed, numRuns: 500 },
  )
  t.strictSame(
    it.logged.filter(([, message]) => /bug/.test(message)),
    [],
  )
})
