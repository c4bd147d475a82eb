import t from 'tap'
import { encodeFirstWord, FirstWordReader } from '../../wire/index.js'
import { bytesOf } from '../fixture/vectors.js'

const ascii = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))

t.test('the word decides the dialect', async t => {
  t.strictSame(new FirstWordReader().push(bytesOf('0000000001')), { kind: 'pmdk', rest: bytesOf('01') })
  t.strictSame(new FirstWordReader().push(ascii('RPM1')), { kind: 'rpmem', rest: new Uint8Array() })
  t.match(new FirstWordReader().push(bytesOf('01000000')), { kind: 'startup', errno: 1 })
  t.match(new FirstWordReader().push(bytesOf('ff0f0000')), { kind: 'startup', errno: 4095 })
})

t.test('anything else is noise and is kept for the error', async t => {
  for (const bytes of [
    bytesOf('00100000'),
    bytesOf('ffffffff'),
    bytesOf('00000001'),
    ascii('Welcome to node2\nRPM1'),
  ]) {
    t.strictSame(new FirstWordReader().push(bytes), { kind: 'noise', bytes })
  }
})

t.test('the word may come in any pieces', async t => {
  const stream = ascii('RPM1rest')
  for (let first = 0; first <= 4; first++) {
    for (let second = first; second <= 8; second++) {
      const reader = new FirstWordReader()
      const pieces = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)]
      const answers = []
      for (const piece of pieces) {
        if (answers.length > 0) break
        const answer = reader.push(piece)
        if (answer !== undefined) answers.push(answer)
        else t.equal(reader.received.length, Math.min(4, reader.received.length))
      }
      t.match(answers, [{ kind: 'rpmem' }])
    }
  }
})

t.test('a stream that ends early leaves its bytes', async t => {
  const reader = new FirstWordReader()
  t.equal(reader.push(new Uint8Array()), undefined)
  t.equal(reader.push(ascii('hi\n')), undefined)
  t.strictSame(reader.received, ascii('hi\n'))
})

t.test('what the daemon writes is what the initiator reads', async t => {
  t.strictSame(encodeFirstWord('rpmem'), ascii('RPM1'))
  t.strictSame(encodeFirstWord('pmdk'), new Uint8Array(4))
  t.strictSame(encodeFirstWord({ errno: 22 }), bytesOf('16000000'))
  t.throws(() => encodeFirstWord({ errno: 0 }), { name: 'AssertionError' })
  t.throws(() => encodeFirstWord({ errno: 4096 }), { name: 'AssertionError' })
})
