import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { isRpmemError } from '../../core/index.js'
import {
  controlShape,
  decodeControl,
  decodePmdkPersist,
  decodePmdkRequest,
  decodePmdkResponse,
  encodeControl,
  encodePmdkPersist,
  encodePmdkRequest,
  encodePmdkResponse,
  type Frame,
  Framer,
  type FrameShape,
  pmdkRequestShape,
  pmdkResponseShape,
} from '../../wire/index.js'
import * as arbitrary from './arbitrary.js'

/** RPMEM_TEST_SEED repeats a run that failed with another seed; fast-check prints it. */
const seed = Number(process.env.RPMEM_TEST_SEED ?? 20261120)
const property = (runs: number, rule: fc.IRawProperty<unknown>) => fc.assert(rule, { seed, numRuns: runs })

const controlFrame = (bytes: Uint8Array): Frame => ({
  type: bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0),
  bytes,
})

t.test('what is encoded decodes to the same value', async t => {
  property(
    300,
    fc.property(arbitrary.pmdkRequest, value => isDeepStrictEqual(decodePmdkRequest(encodePmdkRequest(value)), value)),
  )
  property(
    300,
    fc.property(arbitrary.pmdkResponse, value =>
      isDeepStrictEqual(decodePmdkResponse(encodePmdkResponse(value), value.type), value),
    ),
  )
  property(
    500,
    fc.property(arbitrary.controlMessage, value =>
      isDeepStrictEqual(decodeControl(controlFrame(encodeControl(value))), value),
    ),
  )
  property(
    200,
    fc.property(arbitrary.pmdkPersist, value =>
      isDeepStrictEqual(decodePmdkPersist(encodePmdkPersist(value), 256), value),
    ),
  )
  t.pass('the same')
})

/** True if the reader returns or refuses with an error that a caller may expect. */
function behaves(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch (error) {
    return isRpmemError(error) && error.code === 'ERR_PROTOCOL'
  }
}

const streams: [FrameShape, fc.Arbitrary<Uint8Array>, (frame: Frame) => unknown][] = [
  [pmdkRequestShape, arbitrary.pmdkRequest.map(encodePmdkRequest), frame => decodePmdkRequest(frame.bytes)],
  [
    pmdkResponseShape,
    arbitrary.pmdkResponse.map(encodePmdkResponse),
    frame => decodePmdkResponse(frame.bytes, frame.bytes.length > 100 ? 'open' : 'create'),
  ],
  [controlShape, arbitrary.controlMessage.map(encodeControl), decodeControl],
]

for (const [shape, encoded, decode] of streams) {
  t.test(`${shape.name}: foreign bytes give a value or ERR_PROTOCOL, whether random or damaged`, async t => {
    const foreign = fc.oneof(fc.uint8Array({ maxLength: 300 }), arbitrary.damaged(encoded))
    property(
      2000,
      fc.property(foreign, bytes => behaves(() => decode(controlFrame(bytes)))),
    )
    property(
      2000,
      fc.property(foreign, bytes =>
        behaves(() => {
          const framer = new Framer(shape)
          framer.push(bytes, decode)
          framer.end()
        }),
      ),
    )
    t.pass('no other error')
  })

  t.test(`${shape.name}: any split of a stream gives the same frames and the same end`, async t => {
    const stream = fc
      .tuple(fc.array(encoded, { maxLength: 4 }), fc.oneof(fc.constant(new Uint8Array()), arbitrary.damaged(encoded)))
      .map(([whole, tail]) => new Uint8Array(Buffer.concat([...whole, tail])))
    property(
      500,
      fc.property(stream, fc.array(fc.nat(), { maxLength: 12 }), (bytes, cuts) => {
        const places = cuts.map(cut => cut % (bytes.length + 1)).sort((left, right) => left - right)
        return isDeepStrictEqual(outcome(shape, bytes, places), outcome(shape, bytes, []))
      }),
    )
    t.pass('the same')
  })
}

function outcome(shape: FrameShape, stream: Uint8Array, cuts: readonly number[]) {
  const framer = new Framer(shape)
  const frames: Frame[] = []
  let failure = ''
  try {
    let start = 0
    for (const end of [...cuts, stream.length]) {
      framer.push(stream.subarray(start, end), frame => frames.push(frame))
      start = end
    }
    framer.end()
  } catch (error) {
    failure = String(error)
  }
  return { frames, failure }
}

t.test('any JSON as the body of any message gives a value or ERR_PROTOCOL', async t => {
  const type = fc.integer({ min: 0x1000, max: 0x100f })
  const keys = ['id', 'facts', 'offers', 'versions', 'capabilities', 'attributes', 'secret', 'poolSet', 'code']
  const object = fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), fc.jsonValue({ maxDepth: 4 }))
  property(
    2000,
    fc.property(type, fc.oneof(fc.jsonValue(), object), (value, body) =>
      behaves(() => {
        const text = Buffer.from(JSON.stringify(body))
        decodeControl({ type: value, bytes: new Uint8Array(Buffer.concat([Buffer.alloc(12), text])) })
      }),
    ),
  )
  t.pass('no other error')
})

t.test('foreign in-band bytes give a message or ERR_PROTOCOL', async t => {
  const encoded = arbitrary.pmdkPersist.map(encodePmdkPersist)
  property(
    2000,
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), arbitrary.damaged(encoded)), bytes =>
      behaves(() => decodePmdkPersist(bytes, 128)),
    ),
  )
  t.pass('no other error')
})
