import t from 'tap'
import { proveShape, shapes } from './shape-proof.js'

for (const shape of shapes) {
  t.test(`over tcp: ${shape.name}`, t => proveShape(t, shape, {}, 'tcp'))
}
