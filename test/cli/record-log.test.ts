import fc from 'fast-check'
import t from 'tap'
import { RecordLog, recordSpace } from '../../cli/record-log.js'

const memory = (size: number) => {
  const bytes = new Uint8Array(size)
  return { bytes, size, view: (offset: number, length: number) => bytes.subarray(offset, offset + length) }
}

const records = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 30 })

t.test('what was appended is read back in order', async t => {
  fc.assert(
    fc.property(records, list => {
      const pool = memory(list.reduce((sum, record) => sum + recordSpace(record.length), 0))
      const log = new RecordLog(pool)
      for (const record of list) log.append(record)
      t.same([...new RecordLog(pool).read()], list)
    }),
    { seed: 20261120, numRuns: 50 },
  )
})

t.test('reading stops before a torn record', async t => {
  const pool = memory(64)
  const log = new RecordLog(pool)
  log.append(Uint8Array.of(1, 2, 3))
  const { offset } = log.append(Uint8Array.of(4, 5))
  pool.bytes[offset + 9] = 0
  t.same([...log.read()], [Uint8Array.of(1, 2, 3)])
})

t.test('a length that leads out of the pool ends the reading', async t => {
  const pool = memory(32)
  pool.bytes.fill(0xff)
  t.same([...new RecordLog(pool).read()], [])
})
