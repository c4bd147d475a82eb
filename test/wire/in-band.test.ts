import t from 'tap'
import {
  decodePmdkPersist,
  encodePmdkPersist,
  type PersistMode,
  persistMessage,
  persistModeOf,
  persistResponse,
} from '../../wire/index.js'
import { bytesOf, vectorNames, vectorText } from '../fixture/vectors.js'

/** The initiator's memory in the captures: byte i is (7 * i + floor(i / 4096)) mod 256. */
const memory = Uint8Array.from({ length: 32768 }, (_, at) => (7 * at + Math.floor(at / 4096)) & 0xff)

interface Send {
  readonly bytes: Uint8Array
  /** Pool offset at which the message acts, as the call before it says. */
  readonly chunk: number
  readonly call: string
}

function sends(file: string): { raddr: bigint; requests: Send[]; responses: Uint8Array[] } {
  const text = vectorText('inband', file)
  const raddr = BigInt(/raddr (0x[0-9a-f]+)/.exec(text)?.[1] ?? 0)
  const requests: Send[] = []
  const responses: Uint8Array[] = []
  let call = ''
  let chunk = 0
  for (const line of text.split('\n')) {
    if (line.startsWith('call ')) {
      call = line
      chunk = 0
    }
    const send = /^(->|<-) SEND (\d+) bytes: ([0-9a-f]+)(?: \+ (\d+) data bytes)?/.exec(line)
    if (send === null) continue
    const head = bytesOf(send[3] ?? '')
    if (send[1] === '<-') responses.push(head)
    else {
      const offset = Number(/offset (\d+)/.exec(call)?.[1]) + chunk
      const data = memory.subarray(offset, offset + Number(send[4] ?? 0))
      const bytes = new Uint8Array(Buffer.concat([head, data]))
      t.equal(bytes.length, Number(send[2]), 'a capture is as long as it says')
      requests.push({ bytes, chunk, call })
      chunk += Number(send[4] ?? 0)
    }
  }
  return { raddr, requests, responses }
}

for (const file of vectorNames('inband')) {
  t.test(`${file}: every message decodes to what the call says and is encoded to the same bytes`, async t => {
    const { raddr, requests, responses } = sends(file)
    t.ok(requests.length > 0)
    for (const { bytes, chunk, call } of requests) {
      const message = decodePmdkPersist(bytes, 8192)
      const [, offset = 0, length = 0] = (/offset (\d+), length (\d+)/.exec(call) ?? []).map(Number)
      const mode: PersistMode = call.includes('deep_persist') ? 'deep' : message.data === undefined ? 'flush' : 'inline'
      const size = mode === 'inline' ? Math.min(8192, length - chunk) : length
      t.match(message, { mode, lane: 1, address: raddr + BigInt(offset + chunk), size }, call)
      if (mode === 'inline') t.strictSame(message.data, memory.subarray(offset + chunk, offset + chunk + size))
      t.strictSame(encodePmdkPersist(message), bytes)
    }
    for (const bytes of responses) {
      const response = persistResponse.decode(bytes)
      t.equal(response.lane, 1)
      t.strictSame(persistResponse.encode(response), bytes)
    }
  })
}

t.test('only the low two bits of the flags are the mode', async t => {
  const modes = ['flush', 'deep', 'inline', 'flush'] as const
  for (const [flags, mode] of modes.entries()) {
    t.equal(persistModeOf(flags), mode)
    t.equal(persistModeOf(flags | 4), mode, 'PMDK leaks bit 2')
    t.equal(persistModeOf((flags | 0xfffffffc) >>> 0), mode)
  }
})

t.test('a message that contradicts what arrived is a violation', async t => {
  const head = (flags: number, size: bigint) => persistMessage.encode({ flags, lane: 0, address: 0n, size })
  const inline = (size: bigint, data: number) => new Uint8Array(Buffer.concat([head(2, size), Buffer.alloc(data)]))
  const cases: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['a cut header', head(0, 8n).subarray(0, 23)],
    ['more data than it says', inline(8n, 9)],
    ['less data than it says', inline(8n, 7)],
    ['data beyond the buffer', inline(8193n, 8193)],
    ['a size of 2^64 - 1, inline', inline(2n ** 64n - 1n, 0)],
    ['a size of 2^64 - 1', head(0, 2n ** 64n - 1n)],
  ]
  for (const [name, bytes] of cases) {
    t.throws(() => decodePmdkPersist(bytes, 8192), { code: 'ERR_PROTOCOL' }, name)
  }
  t.match(decodePmdkPersist(inline(8192n, 8192), 8192), { mode: 'inline', size: 8192 })
})
