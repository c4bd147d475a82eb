import fc from 'fast-check'
import t from 'tap'
import { formatAddress, parseAddress } from '../../initiator/index.js'

const good = [
  ['node2', { host: 'node2' }],
  ['node2:7', { host: 'node2', port: 7 }],
  ['me@node2:65535', { user: 'me', host: 'node2', port: 65535 }],
  ['10.0.0.1:22', { host: '10.0.0.1', port: 22 }],
  ['2001:db8::1', { host: '2001:db8::1' }],
  ['me@fe80::1%eth0', { user: 'me', host: 'fe80::1%eth0' }],
  ['[::1]', { host: '::1' }],
  ['me@[2001:db8::1]:2222', { user: 'me', host: '2001:db8::1', port: 2222 }],
] as const

for (const [text, address] of good) {
  t.test(`${text} is an address`, async t => t.same(parseAddress(text), address))
}

const bad = [
  ['', 1],
  ['@host', 1],
  ['me@', 4],
  [':22', 1],
  ['[::1', 1],
  ['[]:22', 2],
  ['[::1]22', 6],
  ['me@[::1]:', 10],
  ['host:', 6],
  ['host:0', 6],
  ['host:65536', 6],
  ['host:2x', 6],
  ['host:22:23', 8],
  ['-oProxyCommand=x', 1],
  ['-me@host', 1],
  ['me@-host', 4],
  ['ho st', 3],
  ['ho;st', 3],
  ["me@ho'st", 6],
  ['ho\nst', 3],
  ['ho\u3000st', 3],
  ['ho\u009bst', 3],
  ['[node2:7]', 2],
] as const

for (const [text, position] of bad) {
  t.test(`${JSON.stringify(text)} is wrong at character ${position}`, async t => {
    t.throws(() => parseAddress(text), { code: 'ERR_ADDRESS', facts: { position } })
  })
}

t.test('any text is an address that prints as itself or ERR_ADDRESS', async t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z@:[\].0-9-]{0,20}$/)), text => {
      try {
        const address = parseAddress(text)
        return JSON.stringify(parseAddress(formatAddress(address))) === JSON.stringify(address)
      } catch (error) {
        return error instanceof Error && 'code' in error && error.code === 'ERR_ADDRESS'
      }
    }),
    { seed: 7 },
  )
  t.pass('held')
})
