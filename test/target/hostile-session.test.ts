import fc from 'fast-check'
import t, { type Test } from 'tap'
import { MiB, zeroAttributes } from '../../core/index.js'
import { type ControlMessage, encodeControl } from '../../wire/index.js'
import { session as captured } from '../fixture/vectors.js'
import { type Bed, bed, talk } from './session-bed.js'

/** One fixed seed, so that a failure can be repeated. */
const seed = 20_261_120

const pmdkCreate = burst('01-create-attr.txt')
const pmdkOpen = burst('02-open-attr.txt')
const setAttributes = burst('03-set-attr.txt', 1)
const close = burst('48-raw-close-first.txt')
const attributes = { ...zeroAttributes(), major: 1, incompat: 2, signature: new Uint8Array(8).fill(0x41) }
const request = { id: 1, poolSet: 'single.set', size: 8 * MiB, lanes: 2, provider: 'tcp', inlineSize: 4096 }
const control: ControlMessage[] = [
  { type: 'accept', version: 1, capabilities: [] },
  { type: 'create', ...request, attributes },
  { type: 'setAttributes', id: 2, attributes },
  { type: 'ping', id: 3 },
  { type: 'close', id: 4, remove: false },
]

function burst(file: string, at = 0): Uint8Array {
  const found = captured(file).bursts.filter(({ from }) => from === 'initiator')[at]
  if (!found) throw new Error(`${file} has no such burst`)
  return found.bytes
}

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
  for (const message of [pmdkCreate, pmdkOpen, setAttributes, close]) {
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

t.test('a wrong length field is never believed', async t => {
  const it = hurried(t)
  const sizes = [0n, 1n, 11n, 12n, 15n, 42n, 1n << 31n, 1n << 32n, 1n << 53n, (1n << 64n) - 1n]
  for (const message of [pmdkCreate, pmdkOpen, setAttributes, close])
    for (const size of sizes) {
      const bent = message.slice()
      new DataView(bent.buffer).setBigUint64(4, size)
      t.equal((await outcome(it, 'pmdk', bent)).code, 255, `${size} instead of ${message.length}`)
    }
  for (const message of control.map(encodeControl))
    for (const size of sizes) {
      const bent = message.slice()
      new DataView(bent.buffer).setBigUint64(4, size)
      t.equal((await outcome(it, 'rpmem', bent)).code, 255, `${size} instead of ${message.length}`)
    }
  leavesNothing(t, it, 'nothing is left')
})

t.test('the length of a name is never believed', async t => {
  const it = hurried(t)
  for (const [message, at] of [
    [pmdkCreate, 144],
    [pmdkOpen, 40],
  ] as const)
    for (const length of [0, 1, 10, 12, 4096, 2 ** 31, 2 ** 32 - 1]) {
      const bent = message.slice()
      new DataView(bent.buffer).setUint32(at, length)
      t.equal((await outcome(it, 'pmdk', bent)).code, 255, `${length} bytes`)
    }
  leavesNothing(t, it, 'nothing is left')
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
    rpmem: Buffer.concat(control.map(encodeControl)),
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
