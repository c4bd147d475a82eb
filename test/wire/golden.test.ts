import t from 'tap'
import { hasCode, isRpmemError } from '../../core/index.js'
import {
  decodePmdkRequest,
  decodePmdkResponse,
  encodeFirstWord,
  encodePmdkRequest,
  encodePmdkResponse,
  FirstWordReader,
  type Frame,
  Framer,
  type FrameShape,
  type PmdkRequest,
  type PmdkResponse,
  pmdkRefusalOf,
  pmdkRequestShape,
  pmdkResponseShape,
  pmdkStatusValue,
} from '../../wire/index.js'
import { type Session, session, sessions } from '../fixture/vectors.js'

const malformed: Readonly<Record<string, RegExp>> = {
  '40-raw-version-0.2': /version of the protocol is 0\.1/,
  '42-raw-provider-3': /provider is 1 or 2/,
  '43-raw-unknown-type': /message type is unknown/,
  '45-raw-name-not-terminated': /name ends with a NUL/,
  '47-raw-size-too-small': /size of create lies between/,
}

function bytesFrom(side: 'initiator' | 'target', { bursts }: Session): Uint8Array {
  return new Uint8Array(Buffer.concat(bursts.filter(({ from }) => from === side).map(({ bytes }) => bytes)))
}

/** Feeds the stream cut at these places and gives the frames and what is left. */
function cut(shape: FrameShape, stream: Uint8Array, cuts: readonly number[]) {
  const framer = new Framer(shape)
  const frames: Frame[] = []
  const ends = [...cuts, stream.length]
  ends.reduce((start, end) => {
    framer.push(stream.subarray(start, end), frame => frames.push(frame))
    return end
  }, 0)
  return { frames, pending: framer.pending }
}

/** The conversation after the first word, decoded. */
function conversation(captured: Session) {
  const requests = cut(pmdkRequestShape, bytesFrom('initiator', captured), [])
  const answers = cut(pmdkResponseShape, bytesFrom('target', captured).subarray(4), [])
  const decoded = requests.frames.map(frame => decodePmdkRequest(frame.bytes))
  const responses = answers.frames.map((frame, at) => decodePmdkResponse(frame.bytes, decoded[at]?.type ?? 'close'))
  return { requests, answers, decoded, responses }
}

const wellFormed = sessions().filter(({ name }) => !(name in malformed))

for (const captured of wellFormed) {
  t.test(`${captured.name}: every message decodes and is encoded to the same bytes`, async t => {
    const { requests, answers, decoded, responses } = conversation(captured)
    requests.frames.forEach((frame, at) => {
      t.strictSame(encodePmdkRequest(decoded[at] as PmdkRequest), frame.bytes)
    })
    answers.frames.forEach((frame, at) => {
      t.strictSame(encodePmdkResponse(responses[at] as PmdkResponse), frame.bytes)
    })
    t.equal(requests.pending, 0)
    t.equal(answers.pending, captured.name === '53-raw-eof-after-status' ? 4 : 0, 'nothing is left but a stray word')
    t.ok(answers.frames.length <= requests.frames.length)
  })

  t.test(`${captured.name}: the frames are the same wherever the stream is cut`, async t => {
    const streams = [
      { shape: pmdkRequestShape, stream: bytesFrom('initiator', captured) },
      { shape: pmdkResponseShape, stream: bytesFrom('target', captured).subarray(4) },
    ]
    for (const { shape, stream } of streams) {
      const whole = cut(shape, stream, [])
      const everywhere = Array.from(stream.keys())
      t.strictSame(cut(shape, stream, everywhere), whole, 'byte by byte')
      const same = everywhere.every(at => {
        const { frames } = cut(shape, stream, [at])
        return frames.every((frame, n) => Buffer.compare(frame.bytes, whole.frames[n]?.bytes ?? Buffer.of()) === 0)
      })
      t.ok(same, 'in two pieces')
    }
  })
}

for (const [name, rule] of Object.entries(malformed)) {
  t.test(`${name}: the malformed request is a violation that names its rule`, async t => {
    const stream = bytesFrom('initiator', session(`${name}.txt`))
    for (const cuts of [[], Array.from(stream.keys())]) {
      try {
        for (const frame of cut(pmdkRequestShape, stream, cuts).frames) decodePmdkRequest(frame.bytes)
        t.fail('a malformed request was accepted')
      } catch (error) {
        t.ok(hasCode(error, 'ERR_PROTOCOL') && isRpmemError(error))
        t.match(error, { message: rule, facts: { rule } })
      }
    }
  })
}

t.test('the first word of every session is recognised', async t => {
  for (const captured of sessions()) {
    const stream = bytesFrom('target', captured)
    const reader = new FirstWordReader()
    const word = reader.push(stream)
    if (stream.length === 0) t.equal(word, undefined, captured.name)
    else if (captured.name === '28-initial-status-error') {
      t.match(word, { kind: 'startup', errno: 22 })
      t.strictSame(encodeFirstWord({ errno: 22 }), stream)
    } else {
      t.match(word, { kind: 'pmdk', rest: stream.subarray(4) }, captured.name)
      t.strictSame(encodeFirstWord('pmdk'), stream.subarray(0, 4))
    }
  }
})

const run = (from: number) => Uint8Array.from({ length: 16 }, (_, at) => from + at)
const pattern = {
  signature: new Uint8Array(Buffer.from('VECTOR01')),
  major: 0x01020304,
  compat: 0,
  incompat: 2,
  roCompat: 0xa5,
  poolsetUuid: run(0x10),
  uuid: run(0x20),
  nextUuid: run(0x30),
  prevUuid: run(0x40),
  userFlags: run(0x50),
}
const common = { poolSize: 8388608, lanes: 2, provider: 'sockets', bufferSize: 8192, poolSet: 'single.set' }

t.test('the fields of a session are what its comments say', async t => {
  const create = conversation(session('01-create-attr.txt'))
  t.strictSame(create.decoded, [
    { type: 'create', ...common, attributes: pattern },
    { type: 'close', remove: false },
  ])
  t.strictSame(create.responses, [
    {
      type: 'create',
      status: 'SUCCESS',
      inBand: { port: 0xaecb, method: 'GPSPM', rkey: 1n, raddr: 0x7fc201e00000n, lanes: 2 },
    },
    { type: 'close', status: 'SUCCESS' },
  ])

  const open = conversation(session('02-open-attr.txt'))
  t.strictSame(open.decoded[0], { type: 'open', ...common })
  t.match(open.responses[0], { type: 'open', status: 'SUCCESS', attributes: pattern })

  const set = conversation(session('03-set-attr.txt'))
  t.strictSame(set.decoded[1], {
    type: 'setAttributes',
    attributes: {
      ...pattern,
      poolsetUuid: run(0x90),
      uuid: run(0xa0),
      nextUuid: run(0xb0),
      prevUuid: run(0xc0),
      userFlags: run(0xd0),
    },
  })
  t.strictSame(set.responses[1], { type: 'setAttributes', status: 'SUCCESS' })

  for (const file of ['12-create-null-attr-nohdrs.txt', '14-set-attr-null-nohdrs.txt']) {
    const { decoded } = conversation(session(file))
    t.ok(decoded.some(request => 'attributes' in request && request.attributes === undefined))
  }
  const nohdrs = conversation(session('13-open-nohdrs.txt'))
  t.match(nohdrs.responses[0], { status: 'SUCCESS', attributes: undefined })

  const many = conversation(session('24-create-1024-lanes.txt'))
  t.match(many.decoded[0], { lanes: 1024 })
  t.match(many.responses[0], { inBand: { lanes: 16 } })
  t.match(conversation(session('25-create-apm.txt')).responses[0], { inBand: { method: 'APM' } })
  t.match(conversation(session('27-create-inband-failure.txt')).decoded[1], { type: 'close', remove: true })
  t.match(conversation(session('31-create-singlehdr.txt')).decoded[0], { attributes: { incompat: 3 } })
  const obj = conversation(session('32-obj-create.txt')).decoded[0]
  t.match(obj, { poolSet: 'obj.set', attributes: { signature: Buffer.from('PMEMOBJ\0'), major: 6 } })
})

t.test('the refusals are those that the captures show', async t => {
  const refused: Readonly<Record<string, string>> = {
    '05-create-exists': 'EXISTS',
    '06-open-busy': 'BUSY',
    '07-create-busy': 'BUSY',
    '16-create-attr-on-nohdrs': 'POOL_CFG',
    '17-create-null-attr-with-headers': 'POOL_CFG',
    '18-create-missing-set': 'NOEXIST',
    '19-open-missing-set': 'NOEXIST',
    '20-create-absolute-name': 'BADNAME',
    '22-create-small-part': 'POOL_CFG',
    '23-create-set-with-replica': 'POOL_CFG',
    '27-create-inband-failure': 'FATAL',
    '30-create-singlehdr-mismatch': 'POOL_CFG',
    '41-raw-provider-verbs': 'BADPROVIDER',
    '48-raw-close-first': 'FATAL',
    '52-raw-close-without-inband': 'FATAL',
    '54-raw-no-ssh-connection': 'BADPROVIDER',
    '55-raw-bad-local-address': 'FATAL_CONN',
  }
  for (const captured of wellFormed) {
    const { answers, responses } = conversation(captured)
    const last = responses.at(-1)
    t.equal(last?.status ?? 'SUCCESS', refused[captured.name] ?? 'SUCCESS', captured.name)
    const value = new DataView(answers.frames.at(-1)?.bytes.buffer ?? new ArrayBuffer(4)).getUint32(0)
    t.equal(pmdkStatusValue(last?.status ?? 'SUCCESS'), value, captured.name)
  }
})

t.test('an absolute name and zero lanes are refused by a status, not by the end of the session', async t => {
  const refusal = (file: string) => {
    const [request] = conversation(session(file)).decoded
    return request?.type === 'create' || request?.type === 'open' ? pmdkRefusalOf(request) : undefined
  }
  t.equal(refusal('20-create-absolute-name.txt'), 'BADNAME')
  t.equal(refusal('44-raw-nlanes-0.txt'), 'BADNLANES')
  t.equal(refusal('01-create-attr.txt'), undefined)
})
