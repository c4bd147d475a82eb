import { inspect } from 'node:util'
import t from 'tap'
import { catalogue, type ErrorCode, RpmemError } from '../../core/index.js'
import {
  type ControlMessage,
  controlHeader,
  decodeControl,
  encodeControl,
  errorOf,
  failureOf,
  refusalErrno,
} from '../../wire/index.js'

function travel(error: unknown, id = 1): RpmemError {
  const message = decodeControl({ type: 0x100b, bytes: encodeControl(failureOf(error, id)) })
  if (message.type !== 'failure') throw new Error('another message')
  t.equal(message.id, id)
  return errorOf(message)
}

t.test('an error of the target arrives with its code, text, facts, hint and errno', async t => {
  for (const code of Object.keys(catalogue) as ErrorCode[]) {
    const sent = new RpmemError(code, `about ${code}`, { facts: { path: '/a', size: 3, fatal: false, list: ['x', 1] } })
    const received = travel(sent)
    t.match(received, { code, message: sent.message, hint: sent.hint, facts: sent.facts })
    t.equal(received.errno, refusalErrno(code) ?? sent.errno, code)
  }
  t.match(travel(new RpmemError('ERR_DISK_FULL', 'x', { hint: 'buy', errno: 122 })), { hint: 'buy', errno: 122 })
})

t.test('facts that JSON cannot hold arrive as text', async t => {
  const facts = { rkey: 2n ** 64n - 1n, ratio: Number.NaN, absent: undefined }
  const received = travel(new RpmemError('ERR_FABRIC', 'x', { facts }))
  t.strictSame(received.facts, { rkey: '18446744073709551615', ratio: 'NaN' })
})

t.test('the cause chain arrives as one fact', async t => {
  const disk = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  const error = RpmemError.wrap('ERR_PART_IO', 'no part', RpmemError.wrap('ERR_DISK_FULL', 'full', disk))
  t.match(travel(error).facts, { cause: 'ERR_DISK_FULL: full; ENOSPC: no space left on device' })
})

t.test('a bug of the target is ERR_REMOTE with its text', async t => {
  t.match(travel(new TypeError('x is not a function'), 0), { code: 'ERR_REMOTE', message: /x is not a function/ })
  t.match(travel('thrown text'), { code: 'ERR_REMOTE' })
  t.match(travel(undefined), { code: 'ERR_REMOTE' })
})

t.test('a code of a later version is ERR_REMOTE, with the text kept', async t => {
  const failure: ControlMessage<'failure'> = {
    type: 'failure',
    id: 1,
    code: 'ERR_FLUX',
    message: 'the flux is out of phase',
    facts: { phase: 3 },
    hint: 'turn it off and on',
    errno: undefined,
  }
  t.match(errorOf(failure), {
    code: 'ERR_REMOTE',
    message: failure.message,
    hint: failure.hint,
    facts: { phase: 3, remoteCode: 'ERR_FLUX' },
    errno: 121,
  })
  for (const code of ['', 'toString', '__proto__']) t.equal(errorOf({ ...failure, code }).code, 'ERR_REMOTE')
  t.equal(errorOf({ ...failure, code: 'ERR_CONFIG', hint: '' }).hint, catalogue.ERR_CONFIG.remedy)
})

t.test('the worst error still fits a frame', async t => {
  const long = '\u0001'.repeat(100_000)
  const facts = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`${long}${at}`, [long, long]]))
  const error = RpmemError.wrap('ERR_CONFIG', long, new Error(long), { facts: { ...facts, small: 1 }, hint: long })
  const received = travel(error)
  t.equal(received.message.length, 4096)
  t.equal(received.hint.length, 1024)
})

t.test('of facts that are too much together, those that still fit are kept', async t => {
  const facts = { ...Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at}`, 'x'.repeat(1024)])), last: 1 }
  const received = travel(new RpmemError('ERR_CONFIG', 'x', { facts })).facts
  t.equal(received.f0, 'x'.repeat(1024))
  t.equal(received.f59, undefined)
  t.equal(received.last, 1)
})

t.test('what a target says about itself and its failures cannot command a terminal', async t => {
  const evil = '\u001b[2J\u009b31m\u0007\r\u202e\u0000a\nb'
  const said: Readonly<Record<string, object>> = {
    failure: { id: 1, code: evil, message: evil, hint: evil, facts: { [evil]: evil, list: [evil, 1] }, errno: null },
    hello: {
      versions: [1, 1],
      software: evil,
      capabilities: [],
      offers: [
        { provider: 'tcp', reason: evil },
        {
          provider: 'sockets',
          offer: {
            provider: 'sockets',
            fabricName: evil,
            protocol: 1,
            protocolVersion: 1,
            maxLanes: 1,
            maxMessageSize: 1,
          },
        },
      ],
    },
  }
  const numbers = { failure: 0x100b, hello: 0x1001 } as const
  for (const [type, body] of Object.entries(said)) {
    const json = Buffer.from(JSON.stringify(body))
    const head = controlHeader.encode({ type: numbers[type as 'hello'], size: controlHeader.size + json.length })
    const message = decodeControl({ type: numbers[type as 'hello'], bytes: Buffer.concat([head, json]) })
    const shown = inspect(message.type === 'failure' ? errorOf(message) : message, { depth: 9, compact: false })
    t.match(shown, /·\[2J/, `${type} is told`)
    t.notMatch(shown, /[^\P{C}\n]|\\x1B|\\x9B|\\u202E/iu, `${type} holds no control character`)
  }
})
