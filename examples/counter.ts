import { hasCode, Pool } from 'rpmem'

const set = process.argv[2] ?? 'counter.set'
const pool = await Pool.open(set).catch(error => {
  if (hasCode(error, 'ERR_PART_MISSING')) return Pool.create(set, { signature: 'COUNTER' })
  throw error
})

const bytes = pool.view(0, 8)
const counter = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
counter.setBigUint64(0, counter.getBigUint64(0, true) + 1n, true)
const { replicas } = pool.persistSync(0, 8) // durable on all replicas, or it throws

console.log(`run ${counter.getBigUint64(0, true)}, durable on ${replicas.map(({ name }) => name).join(', ')}`)
await pool.close()
