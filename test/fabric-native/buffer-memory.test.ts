import t from 'tap'
import { BufferMemory } from '../../fabric-native/index.js'
import { everyCall, memoryCompliance } from './memory-compliance.js'

for (const method of ['volatile', 'msync', 'dax'] as const) {
  memoryCompliance(t, {
    name: `buffer (${method})`,
    method,
    open: (_, size) => new BufferMemory(size, { method }),
    ...(method === 'volatile' ? {} : { stored: memory => (memory as BufferMemory).afterPowerFailure() }),
  })
}

t.test('a power failure leaves what was drained and nothing else', async t => {
  const memory = new BufferMemory(4096, { method: 'dax' })
  memory.view(0, 4).fill(1)
  memory.persist(0, 2)
  memory.flush(2, 1)
  t.same([...memory.afterPowerFailure().subarray(0, 4)], [1, 1, 0, 0])
  memory.drain()
  t.same([...memory.afterPowerFailure().subarray(0, 4)], [1, 1, 1, 0])
})

t.test('volatile memory loses everything with the power', async t => {
  const memory = new BufferMemory(4096)
  memory.fill(0, 1, 4096)
  t.equal(Buffer.compare(memory.afterPowerFailure(), new Uint8Array(4096)), 0)
})

t.test('a storage that refuses poisons the memory', async t => {
  const memory = new BufferMemory(4096, { method: 'msync' })
  memory.refuseNext()
  t.throws(() => memory.persist(0, 8), { code: 'ERR_MSYNC', cause: { code: 'EIO', syscall: 'msync' } })
  for (const [name, call] of everyCall(memory, new BufferMemory(4096))) {
    t.throws(call, { code: 'ERR_POOL_POISONED' }, name)
  }
})

t.test('a truncated memory says so at every call', async t => {
  const memory = new BufferMemory(4096)
  memory.truncate()
  for (const [name, call] of everyCall(memory, new BufferMemory(4096))) {
    t.throws(call, { code: 'ERR_POOL_TRUNCATED' }, name)
  }
})
