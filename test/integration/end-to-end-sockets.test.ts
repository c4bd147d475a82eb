import t from 'tap'
import { readEnvironment } from '../../initiator/index.js'
import { proveShape, shapes } from './shape-proof.js'

const [mirrors, , singleHeader] = shapes

t.test(`over sockets: ${mirrors?.name}`, async t => {
  if (mirrors) await proveShape(t, mirrors, { transport: { require: 'sockets' } }, 'sockets')
})

t.test('allowing sockets changes nothing where tcp serves both ends', async t => {
  const environment = readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' })
  if (singleHeader) await proveShape(t, singleHeader, { environment }, 'tcp')
})
