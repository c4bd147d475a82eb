import t from 'tap'
import {
  attributesAreZero,
  attributesEqual,
  malformedAttribute,
  type PoolAttributes,
  zeroAttributes,
} from '../../core/index.js'

const names = Object.keys(zeroAttributes()) as (keyof PoolAttributes)[]

/** Zero but for the last bit of one field. */
function touched(name: keyof PoolAttributes): PoolAttributes {
  const value = zeroAttributes()[name]
  return {
    ...zeroAttributes(),
    [name]: typeof value === 'number' ? 1 : value.map((_, at) => +(at === value.length - 1)),
  }
}

t.test('attributes are zero only if every field is', async t => {
  t.equal(names.length, 10)
  t.ok(attributesAreZero(zeroAttributes()))
  for (const name of names) t.notOk(attributesAreZero(touched(name)), name)
})

t.test('attributes are equal only if every field is', async t => {
  t.ok(attributesEqual(zeroAttributes(), zeroAttributes()))
  for (const name of names) {
    t.ok(attributesEqual(touched(name), touched(name)))
    t.notOk(attributesEqual(touched(name), zeroAttributes()), name)
  }
  t.notOk(attributesEqual(zeroAttributes(), { ...zeroAttributes(), uuid: new Uint8Array(15) }))
})

t.test('zero attributes are fresh each time', async t => {
  zeroAttributes().uuid[0] = 1
  t.ok(attributesAreZero(zeroAttributes()))
})

t.test('what no header could hold is named', t => {
  const right = zeroAttributes()
  t.equal(malformedAttribute(right), undefined)
  t.equal(malformedAttribute({ ...right, signature: Buffer.from('SHORT') }), 'signature')
  t.equal(malformedAttribute({ ...right, prevUuid: new Uint8Array(17) }), 'prevUuid')
  for (const major of [-1, 0.5, Number.NaN, 2 ** 32]) t.equal(malformedAttribute({ ...right, major }), 'major')
  t.equal(malformedAttribute({ ...right, major: 2 ** 32 - 1 }), undefined)
  t.end()
})
