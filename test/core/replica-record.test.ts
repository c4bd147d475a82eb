import fc from 'fast-check'
import t from 'tap'
import {
  decodeReplicaRecord,
  encodeReplicaRecord,
  generationReasons,
  maxAncestors,
  type ReplicaRecord,
  replicaRecordSize,
} from '../../core/index.js'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('hex'))
const generation = fc.record({
  id,
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  since: fc.integer({ min: 0, max: 4e12 }).map(ms => new Date(ms).toISOString()),
  writer: fc.string({ maxLength: 32 }).filter(text => !text.includes('\0')),
  why: fc.constantFrom(...generationReasons),
})
const anyRecord: fc.Arbitrary<ReplicaRecord> = fc.record({
  lineage: fc.record({
    pool: id,
    current: generation,
    ancestors: fc.array(generation, { maxLength: maxAncestors }),
  }),
  closed: fc.boolean(),
  syncing: fc.boolean(),
  touched: fc.boolean(),
})

t.test('a record is read as it was written (seed 2701)', t => {
  fc.assert(
    fc.property(anyRecord, record => {
      const bytes = encodeReplicaRecord(record)
      return bytes.length === replicaRecordSize && same(decodeReplicaRecord(bytes), record)
    }),
    { seed: 2701 },
  )
  t.pass('100 records')
  t.end()
})

t.test('a name longer than its field is cut between characters', t => {
  const record = sample()
  const current = { ...record.lineage.current, writer: `${'x'.repeat(31)}é` }
  const read = decodeReplicaRecord(encodeReplicaRecord({ ...record, lineage: { ...record.lineage, current } }))
  t.equal(read.lineage.current.writer, 'x'.repeat(31))
  t.end()
})

t.test('a record with any byte changed, or of any other length, is refused (seed 2702)', t => {
  const bytes = encodeReplicaRecord(sample())
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ flip
      return refused(changed) && refused(bytes.subarray(0, at))
    }),
    { seed: 2702, numRuns: 1000 },
  )
  t.ok(refused(Buffer.concat([bytes, new Uint8Array(1)])))
  t.end()
})

function sample(): ReplicaRecord {
  const [record] = fc.sample(anyRecord, { seed: 1, numRuns: 1 })
  if (!record) throw new Error('fast-check gives a sample')
  return record
}

function refused(bytes: Uint8Array): boolean {
  try {
    decodeReplicaRecord(bytes)
    return false
  } catch (error) {
    return (error as { code?: string }).code === 'ERR_RECORD'
  }
}

/** Writers are cut to 32 bytes, and a character takes up to four. */
function same(read: ReplicaRecord, written: ReplicaRecord): boolean {
  const shorten = ({ lineage, ...rest }: ReplicaRecord) => ({
    ...rest,
    pool: lineage.pool,
    generations: [lineage.current, ...lineage.ancestors].map(({ writer, ...generation }) => {
      const short = new Uint8Array(32)
      const { written } = new TextEncoder().encodeInto(writer, short)
      return { ...generation, writer: new TextDecoder().decode(short.subarray(0, written)) }
    }),
  })
  return JSON.stringify(shorten(read)) === JSON.stringify(shorten(written))
}
