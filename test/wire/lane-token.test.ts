import { createHash } from 'node:crypto'
import t from 'tap'
import { seededRandom } from '../../core/index.js'
import { laneProof, laneToken, laneTokens, makeLaneSecret } from '../../wire/index.js'
import { bytesOf } from '../fixture/vectors.js'

const secret = Uint8Array.from({ length: 32 }, (_, at) => at)

/** HMAC of RFC 2104, spelled out with the bare hash, so that the expected bytes come from another writer. */
function hmac(key: Uint8Array, ...message: Uint8Array[]): Uint8Array {
  const pad = (byte: number) => Uint8Array.from({ length: 64 }, (_, at) => (key[at] ?? 0) ^ byte)
  const inner = createHash('sha256')
    .update(Buffer.concat([pad(0x36), ...message]))
    .digest()
  return new Uint8Array(
    createHash('sha256')
      .update(Buffer.concat([pad(0x5c), inner]))
      .digest(),
  )
}

t.test('a token is the HMAC of "rpmem lane" and the lane as a little-endian word', async t => {
  const text = new Uint8Array(Buffer.from('rpmem lane'))
  t.strictSame(laneToken(secret, 0), hmac(secret, text, bytesOf('00000000')))
  t.strictSame(laneToken(secret, 1), hmac(secret, text, bytesOf('01000000')))
  t.strictSame(laneToken(secret, 0x01020304), hmac(secret, text, bytesOf('04030201')))
})

t.test('every lane has a token of its own, and every secret too', async t => {
  const tokens = [...laneTokens(secret, 16), ...laneTokens(makeLaneSecret(seededRandom(7)), 16)]
  t.equal(new Set(tokens.map(token => Buffer.from(token).toString('hex'))).size, 32)
  t.strictSame(laneTokens(secret, 3)[2], laneToken(secret, 2))
})

t.test('a secret of another length is a bug', async t => {
  t.throws(() => laneToken(new Uint8Array(31), 0), { name: 'AssertionError' })
  t.equal(makeLaneSecret().length, 32)
})

t.test('the proof in the private data is the lane, little-endian, and the token', async t => {
  const token = laneToken(secret, 258)
  const proof = laneProof.encode({ lane: 258, token })
  t.strictSame(proof, new Uint8Array(Buffer.concat([bytesOf('02010000'), token])))
  t.strictSame(laneProof.decode(proof), { lane: 258, token })
})
