import t from 'tap'
import {
  controlShape,
  type Frame,
  Framer,
  type FrameShape,
  pmdkRequestShape,
  pmdkResponseShape,
} from '../../wire/index.js'
import { bytesOf } from '../fixture/vectors.js'

const header = (type: string, size: string, status = '') => bytesOf(`${status}${type}${size}`)

const collect = (shape: FrameShape, ...chunks: Uint8Array[]): Frame[] => {
  const framer = new Framer(shape)
  const frames: Frame[] = []
  for (const chunk of chunks) framer.push(chunk, frame => frames.push(frame))
  return frames
}

t.test('a header is judged as soon as it is complete, without waiting for its body', async t => {
  const cases: [string, FrameShape, Uint8Array][] = [
    ['PMDK request of 2^64 - 1 bytes', pmdkRequestShape, header('00000001', 'ffffffffffffffff')],
    ['PMDK request longer than any name', pmdkRequestShape, header('00000001', '0000000000001095')],
    ['PMDK request of 11 bytes', pmdkRequestShape, header('00000005', '000000000000000b')],
    ['PMDK request of an unknown type', pmdkRequestShape, header('00000002', '000000000000002c')],
    ['PMDK answer of 2^63 bytes', pmdkResponseShape, header('00000002', '8000000000000000', '00000000')],
    ['PMDK answer that is a request', pmdkResponseShape, header('00000001', '000000000000009f', '00000000')],
    ['control message beyond 64 KiB', controlShape, header('00001001', '0000000000010001')],
    ['control message shorter than its header', controlShape, header('00001001', '0000000000000000')],
    ['control message of an unknown type', controlShape, header('0000100f', '0000000000000020')],
  ]
  for (const [name, shape, bytes] of cases) {
    const framer = new Framer(shape)
    framer.push(bytes.subarray(0, -1), () => t.fail('a frame'))
    t.throws(() => framer.push(bytes.subarray(-1), () => t.fail('a frame')), { code: 'ERR_PROTOCOL' }, name)
  }
})

t.test('the limits themselves are allowed', async t => {
  const control = new Uint8Array(65536)
  control.set(header('00001009', '0000000000010000'))
  t.equal(collect(controlShape, control)[0]?.bytes.length, 65536)
  const request = new Uint8Array(148 + 4096)
  request.set(header('00000001', '0000000000001094'))
  t.equal(collect(pmdkRequestShape, request)[0]?.bytes.length, request.length)
})

t.test('frames before a broken header are delivered, and every later call fails alike', async t => {
  const framer = new Framer(pmdkRequestShape)
  const close = bytesOf('00000005000000000000001000000000')
  const frames: Frame[] = []
  const push = (chunk: Uint8Array) => framer.push(chunk, frame => frames.push(frame))
  t.throws(() => push(Buffer.concat([close, close, bytesOf('000000090000000000000010')])), { code: 'ERR_PROTOCOL' })
  t.equal(frames.length, 2)
  t.throws(() => push(close), { code: 'ERR_PROTOCOL' })
  t.throws(() => framer.end(), { code: 'ERR_PROTOCOL' })
  t.equal(frames.length, 2)
})

t.test('an error of the receiver ends the stream, since the rest of the chunk is lost', async t => {
  const framer = new Framer(pmdkRequestShape)
  const close = bytesOf('00000005000000000000001000000000')
  const refuse = () => {
    throw new RangeError('refused')
  }
  t.throws(() => framer.push(Buffer.concat([close, close]), refuse), RangeError)
  t.throws(() => framer.push(close, () => t.fail('a frame')), RangeError)
})

t.test('the end of the stream is an error inside a frame only', async t => {
  const framer = new Framer(pmdkRequestShape)
  framer.end()
  framer.push(bytesOf('00000005000000000000001000000000'), () => {})
  t.equal(framer.pending, 0)
  framer.end()
  framer.push(bytesOf('0000000500000000000000100000'), () => t.fail('a frame'))
  t.equal(framer.pending, 14)
  t.throws(() => framer.end(), { code: 'ERR_PROTOCOL', facts: { have: 14, wanted: 16 } })
})

t.test('a frame does not change when the chunk that brought it is used again', async t => {
  const chunk = bytesOf('00000005000000000000001001000000')
  const [frame] = collect(pmdkRequestShape, chunk)
  chunk.fill(0xff)
  t.strictSame(frame?.bytes, bytesOf('00000005000000000000001001000000'))
})
