import t from 'tap'
import type { ProviderReport } from '../../fabric-native/index.js'
import {
  acceptHello,
  type ControlMessage,
  checkAccept,
  chooseVersion,
  commonCapabilities,
  decodeControl,
  encodeControl,
  ourVersions,
} from '../../wire/index.js'

const hello = (min: number, max: number, ...capabilities: string[]): ControlMessage<'hello'> => ({
  type: 'hello',
  versions: { min, max },
  software: 'test',
  capabilities,
  offers: [],
})

t.test('the highest version that both speak is chosen', async t => {
  const cases: [number, number, number, number, number | undefined][] = [
    [1, 1, 1, 1, 1],
    [1, 3, 2, 5, 3],
    [2, 5, 1, 3, 3],
    [1, 9, 4, 5, 5],
    [1, 1, 2, 2, undefined],
    [3, 4, 1, 2, undefined],
  ]
  for (const [min, max, theirMin, theirMax, version] of cases) {
    const choose = () => chooseVersion({ min, max }, { min: theirMin, max: theirMax })
    if (version === undefined) {
      t.throws(choose, { code: 'ERR_VERSION', facts: { ours: [min, max], theirs: [theirMin, theirMax] } })
    } else t.equal(choose(), version)
  }
})

t.test('a target of another time is refused with both ranges in words', async t => {
  t.throws(() => acceptHello(hello(9, 9)), {
    code: 'ERR_VERSION',
    message: 'this end speaks version 1 of the rpmem protocol, the other 9',
  })
  t.throws(() => acceptHello(hello(9, 12)), { message: /the other 9 to 12/ })
})

t.test('capabilities are those of both ends, in our order, each once', async t => {
  t.strictSame(commonCapabilities(['a', 'b', 'a', 'c'], ['c', 'a', 'x']), ['a', 'c'])
  t.strictSame(commonCapabilities(['a'], []), [])
})

t.test('what the initiator accepts, the target finds within its offer', async t => {
  const offered = hello(1, 4, 'deep', 'wide')
  const accept = acceptHello(offered, { versions: { min: 2, max: 3 }, capabilities: ['wide', 'tall'] })
  t.strictSame(accept, { type: 'accept', version: 3, capabilities: ['wide'] })
  checkAccept(offered, accept)
  t.match(acceptHello(hello(1, 1)), { version: ourVersions.max, capabilities: [] })
})

t.test('an accept beyond the offer is a violation', async t => {
  const accept = (version: number, ...capabilities: string[]) => ({ type: 'accept', version, capabilities }) as const
  for (const wrong of [accept(1), accept(4), accept(2, 'tall')]) {
    t.throws(() => checkAccept(hello(2, 3, 'wide'), wrong), { code: 'ERR_PROTOCOL', facts: { message: 'accept' } })
  }
})

t.test('the reports of a fabric travel in hello and arrive as reports of a fabric', async t => {
  const offer = { fabricName: 'net', protocol: 0, protocolVersion: 1, maxLanes: 16, maxMessageSize: 2 ** 30 }
  const reports: ProviderReport[] = [
    { provider: 'verbs', reason: 'no device' },
    { provider: 'tcp', offer: { provider: 'tcp', ...offer } },
    { provider: 'sockets', offer: { provider: 'sockets', ...offer } },
  ]
  const received = decodeControl({ type: 0x1001, bytes: encodeControl({ ...hello(1, 1), offers: reports }) })
  const arrived: readonly ProviderReport[] = received.type === 'hello' ? received.offers : []
  t.strictSame(arrived, reports)
})
