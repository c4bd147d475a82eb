import t from 'tap'
import { zeroAttributes } from '../../core/index.js'
import {
  type ControlMessage,
  controlShape,
  decodeControl,
  encodeControl,
  type Frame,
  Framer,
  maxControlSize,
} from '../../wire/index.js'

/** A frame written by hand from docs/protocol.md. */
function frame(type: number, body: string | Uint8Array): Frame {
  const text = Buffer.from(body)
  const bytes = Buffer.alloc(12 + text.length)
  bytes.writeUInt32BE(type, 0)
  bytes.writeBigUInt64BE(BigInt(bytes.length), 4)
  text.copy(bytes, 12)
  return { type, bytes: new Uint8Array(bytes) }
}

const u = (byte: string) => new Uint8Array(16).fill(Number.parseInt(byte, 16))
const attributes = {
  signature: new Uint8Array(Buffer.from('COUNTER\0')),
  major: 1,
  compat: 0,
  incompat: 2,
  roCompat: 4294967295,
  poolsetUuid: u('11'),
  uuid: u('22'),
  nextUuid: u('33'),
  prevUuid: u('44'),
  userFlags: u('00'),
}
const attributesJson =
  `{"signature":"434f554e54455200","major":1,"compat":0,"incompat":2,"roCompat":4294967295,` +
  `"poolsetUuid":"${'11'.repeat(16)}","uuid":"${'22'.repeat(16)}","nextUuid":"${'33'.repeat(16)}",` +
  `"prevUuid":"${'44'.repeat(16)}","userFlags":"${'00'.repeat(16)}"}`
const offer = {
  provider: 'tcp',
  fabricName: 'net',
  protocol: 9,
  protocolVersion: 1,
  maxLanes: 1024,
  maxMessageSize: 1048576,
} as const
const secret = Uint8Array.from({ length: 32 }, (_, at) => at)
const secretHex = Buffer.from(secret).toString('hex')

/** Every message: its value and the frame that docs/protocol.md asks for. */
const golden: [ControlMessage, number, string][] = [
  [
    {
      type: 'hello',
      versions: { min: 1, max: 1 },
      software: 'rpmem 0.1.0',
      capabilities: ['x'],
      offers: [
        { provider: 'verbs', reason: 'no device' },
        { provider: 'tcp', offer },
      ],
    },
    0x1001,
    `{"versions":[1,1],"software":"rpmem 0.1.0","capabilities":["x"],"offers":[{"provider":"verbs","reason":"no device"},` +
      `{"provider":"tcp","offer":{"provider":"tcp","fabricName":"net","protocol":9,"protocolVersion":1,"maxLanes":1024,` +
      `"maxMessageSize":1048576}}]}`,
  ],
  [{ type: 'accept', version: 1, capabilities: [] }, 0x1002, `{"version":1,"capabilities":[]}`],
  [
    {
      type: 'create',
      id: 1,
      poolSet: 'ä.set',
      size: 2 ** 40,
      lanes: 8,
      provider: 'tcp',
      inlineSize: 8192,
      attributes,
    },
    0x1003,
    `{"id":1,"poolSet":"ä.set","size":1099511627776,"lanes":8,"provider":"tcp","inlineSize":8192,` +
      `"attributes":${attributesJson}}`,
  ],
  [
    { type: 'open', id: 1, poolSet: 'a', size: 8192, lanes: 1, provider: 'verbs', inlineSize: 0 },
    0x1004,
    `{"id":1,"poolSet":"a","size":8192,"lanes":1,"provider":"verbs","inlineSize":0}`,
  ],
  [
    {
      type: 'ready',
      id: 1,
      address: '::1',
      port: 65535,
      method: 'GPSPM',
      durability: 'msync',
      rkey: 2n ** 64n - 1n,
      raddr: 0n,
      lanes: 8,
      inlineSize: 8192,
      poolSize: 8388608,
      attributes: undefined,
      secret,
    },
    0x1005,
    `{"id":1,"address":"::1","port":65535,"method":"GPSPM","durability":"msync","rkey":"18446744073709551615",` +
      `"raddr":"0","lanes":8,"inlineSize":8192,"poolSize":8388608,"attributes":null,"secret":"${secretHex}"}`,
  ],
  [{ type: 'setAttributes', id: 2, attributes: undefined }, 0x1006, `{"id":2,"attributes":null}`],
  [{ type: 'close', id: 3, remove: true }, 0x1007, `{"id":3,"remove":true}`],
  [{ type: 'done', id: 3 }, 0x1008, `{"id":3}`],
  [{ type: 'ping', id: 4 }, 0x1009, `{"id":4}`],
  [{ type: 'pong', id: 4, activeLanes: 0 }, 0x100a, `{"id":4,"activeLanes":0}`],
  [
    {
      type: 'failure',
      id: 0,
      code: 'ERR_CONFIG',
      message: 'line 3',
      facts: { line: 3, keys: ['a', 1], fatal: true },
      hint: '',
      errno: 22,
    },
    0x100b,
    `{"id":0,"code":"ERR_CONFIG","message":"line 3","facts":{"line":3,"keys":["a",1],"fatal":true},"hint":"","errno":22}`,
  ],
]

for (const [message, type, body] of golden) {
  t.test(`${message.type} travels as docs/protocol.md says`, async t => {
    t.strictSame(encodeControl(message), frame(type, body).bytes)
    const frames: Frame[] = []
    new Framer(controlShape).push(frame(type, body).bytes, received => frames.push(received))
    t.strictSame(frames.map(decodeControl), [message])
  })

  t.test(`${message.type} without one of its fields is refused, with one more it is not`, async t => {
    const values: Record<string, unknown> = JSON.parse(body)
    for (const key of Object.keys(values)) {
      const { [key]: _, ...rest } = values
      t.throws(() => decodeControl(frame(type, JSON.stringify(rest))), {
        code: 'ERR_PROTOCOL',
        message: `${message.type}: ${key} is missing`,
        facts: { message: message.type, field: key },
      })
    }
    t.strictSame(decodeControl(frame(type, JSON.stringify({ later: [1], ...values }))), message)
  })

  t.test(`${message.type} with a field of another type is refused`, async t => {
    const values: Record<string, unknown> = JSON.parse(body)
    const strangers = [undefined, [[]], { a: {} }, -1, 1.5, 1e300, 'x'.repeat(5000)]
    for (const key of Object.keys(values)) {
      for (const stranger of strangers) {
        const text = JSON.stringify({ ...values, [key]: stranger })
        if (key === 'facts' && typeof stranger === 'object' && !Array.isArray(stranger)) continue
        t.throws(() => decodeControl(frame(type, text)), { code: 'ERR_PROTOCOL' }, `${key}: ${text.slice(0, 80)}`)
      }
    }
  })
}

t.test('a body that is not one JSON object in UTF-8 is refused, and the error does not quote it', async t => {
  const bodies = ['', '{', '[]', 'null', '1', '"x"', `{"id":1,"secret":"${secretHex}"`, new Uint8Array([0x7b, 0xff])]
  for (const body of [...bodies, '['.repeat(65000)]) {
    try {
      decodeControl(frame(0x1005, body))
      t.fail('accepted')
    } catch (error) {
      t.match(error, { code: 'ERR_PROTOCOL', cause: undefined })
      t.notMatch(JSON.stringify(error), secretHex)
    }
  }
})

t.test('the wrong value of a secret field is not quoted either', async t => {
  const body = (golden[4]?.[2] ?? '').replace(secretHex, `${secretHex}00`)
  try {
    decodeControl(frame(0x1005, body))
    t.fail('accepted')
  } catch (error) {
    t.match(error, { code: 'ERR_PROTOCOL', message: 'ready: secret is 32 bytes in hexadecimal' })
    t.notMatch(JSON.stringify(error), secretHex)
  }
})

t.test('each field has its limits', async t => {
  const changed = (at: number, from: string, to: string) => {
    const [, type, body] = golden[at] ?? [undefined, 0, '']
    t.ok(body.includes(from))
    return () => decodeControl(frame(type, body.replace(from, to)))
  }
  const refused: [string, () => ControlMessage][] = [
    ['versions backwards', changed(0, '[1,1]', '[2,1]')],
    ['versions of one number', changed(0, '[1,1]', '[1]')],
    ['versions of three numbers', changed(0, '[1,1]', '[1,2,3]')],
    ['version zero', changed(0, '[1,1]', '[0,1]')],
    ['a report without provider', changed(0, '{"provider":"verbs","reason":"no device"}', '{"reason":"x"}')],
    ['a report without reason or offer', changed(0, ',"reason":"no device"', '')],
    ['a report that is a text', changed(0, '{"provider":"verbs","reason":"no device"}', '"verbs"')],
    ['offers that are an object', changed(0, '"offers":[', '"offers":{"length":2},"x":[')],
    ['too many capabilities', changed(0, '["x"]', JSON.stringify(new Array(65).fill('x')))],
    ['a version that is a text', changed(1, '1', '"1"')],
    ['an absent pool set', changed(2, 'ä.set', '')],
    ['a NUL in the pool set', changed(2, 'ä.set', 'a\\u0000b')],
    ['a lone surrogate in the pool set', changed(2, 'ä.set', '\\ud800')],
    ['a size beyond 2^53', changed(2, '1099511627776', '9007199254740992')],
    ['lanes beyond 2^32', changed(2, '"lanes":8', '"lanes":4294967296')],
    ['attributes short of a byte', changed(2, '434f554e54455200', '434f554e544552')],
    ['attributes in upper case', changed(2, '434f554e54455200', '434F554E54455200')],
    ['attributes not in hexadecimal', changed(2, '434f554e54455200', '434f554e5445520g')],
    ['major beyond 32 bits', changed(2, '"major":1', '"major":4294967296')],
    ['id zero', changed(2, '"id":1', '"id":0')],
    ['port zero', changed(4, '65535', '0')],
    ['port beyond 16 bits', changed(4, '65535', '65536')],
    ['no lanes granted', changed(4, '"lanes":8', '"lanes":0')],
    ['an unknown method', changed(4, 'GPSPM', 'gpspm')],
    ['an inherited name as method', changed(4, 'GPSPM', 'constructor')],
    ['an unknown durability', changed(4, 'msync', 'maybe')],
    ['an rkey beyond 64 bits', changed(4, '18446744073709551615', '18446744073709551616')],
    ['an rkey that is a number', changed(4, '"18446744073709551615"', '1')],
    ['an rkey with a sign', changed(4, '18446744073709551615', '-1')],
    ['an raddr with leading zeros', changed(4, '"raddr":"0"', '"raddr":"00"')],
    ['errno zero', changed(10, '"errno":22', '"errno":0')],
  ]
  for (const [name, decode] of refused) t.throws(decode, { code: 'ERR_PROTOCOL' }, name)
  t.match(changed(10, '"errno":22', '"errno":null')(), { errno: undefined })
})

t.test('reports on providers of a later version are left out', async t => {
  const body = golden[0]?.[2].replace('"verbs","reason":"no device"', '"quantum","offer":{"spin":true}') ?? ''
  const hello = decodeControl(frame(0x1001, body))
  t.match(hello, { offers: [{ provider: 'tcp', offer }] })
  t.equal(hello.type === 'hello' && hello.offers.length, 1)
})

t.test('a ceiling that JSON cannot hold exactly is written as the largest that it can', async t => {
  const offers = [{ provider: 'tcp', offer: { ...offer, maxMessageSize: 2 ** 64 } }] as const
  const bytes = encodeControl({ type: 'hello', versions: { min: 1, max: 1 }, software: '', capabilities: [], offers })
  t.match(decodeControl({ type: 0x1001, bytes }), { offers: [{ offer: { maxMessageSize: Number.MAX_SAFE_INTEGER } }] })
})

t.test('facts of a form that only a later version knows are left out', async t => {
  const body = `{"id":1,"code":"X","message":"","facts":{"a":{"b":1},"c":null,"d":[true],"e":1e999,"__proto__":"p","f":"${'x'.repeat(2000)}"},"hint":"","errno":null}`
  const message = decodeControl(frame(0x100b, body))
  t.ok(message.type === 'failure')
  if (message.type !== 'failure') return
  t.strictSame(Object.entries(message.facts), [
    ['e', 'Infinity'],
    ['__proto__', 'p'],
    ['f', 'x'.repeat(1024)],
  ])
})

t.test('a name that cannot travel is the caller`s mistake; any other wrong value is a bug', async t => {
  const open = { type: 'open', id: 1, poolSet: 'a', size: 8192, lanes: 1, provider: 'tcp', inlineSize: 0 } as const
  t.throws(() => encodeControl({ ...open, poolSet: 'a\0' }), { code: 'ERR_ARGUMENT' })
  t.throws(() => encodeControl({ ...open, id: 0 }), { name: 'AssertionError' })
  t.throws(() => encodeControl({ ...open, size: 0.5 }), { name: 'AssertionError' })
  const short = { ...zeroAttributes(), uuid: new Uint8Array(15) }
  t.throws(() => encodeControl({ type: 'setAttributes', id: 1, attributes: short }), { name: 'AssertionError' })
  const capabilities = new Array<string>(64).fill('\u0001'.repeat(64))
  const reason = '\u0001'.repeat(1024)
  const offers = new Array(16).fill({ provider: 'tcp', reason })
  t.throws(
    () => encodeControl({ type: 'hello', versions: { min: 1, max: 1 }, software: '', capabilities, offers }),
    { name: 'AssertionError' },
    'a frame beyond 64 KiB',
  )
})

t.test('a frame whose type or size is not that of any message is refused', async t => {
  t.throws(() => decodeControl(frame(0x1000, '{}')), { code: 'ERR_PROTOCOL' })
  t.throws(() => decodeControl(frame(0x100f, '{}')), { code: 'ERR_PROTOCOL' })
  t.throws(() => decodeControl({ type: 0x1001, bytes: new Uint8Array(11) }), { code: 'ERR_PROTOCOL' })
  t.throws(() => decodeControl(frame(0x1009, ' '.repeat(maxControlSize))), { code: 'ERR_PROTOCOL' })
})
