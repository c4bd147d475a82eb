import t from 'tap'
import { BufferArenaMemory, trackings } from '../../fabric-native/index.js'
import { arenaCompliance } from './arena-compliance.js'

for (const tracking of trackings) {
  arenaCompliance(t, {
    name: `buffer (${tracking})`,
    tracking,
    open: (_, { size, ...options }) => new BufferArenaMemory(size, { ...options, tracking }),
    grow: (memory, size) => memory.extend(size),
  })
}

t.test('a truncated file is an error of every call', async t => {
  const memory = new BufferArenaMemory(4096)
  memory.truncate()
  t.throws(() => memory.view(0, 1), { code: 'ERR_POOL_TRUNCATED' })
  t.throws(() => memory.takeDirty(), { code: 'ERR_POOL_TRUNCATED' })
})
