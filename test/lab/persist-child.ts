import { accessSync } from 'node:fs'
import { Pool } from '../../initiator/index.js'

/** persist-child SET COUNT: persists COUNT times between two names that strace sees it look for; prints the master's method. */
export const [begin, end] = ['/lab-begins', '/lab-ends']

const [, , set = '', count = '0'] = process.argv
const pool = await Pool.create(set)
pool.persistSync(0, 64)
look(begin)
for (let n = 0; n < Number(count); n++) {
  pool.view(n * 64, 64).fill(n)
  if (n % 3 === 0) pool.persistSync(n * 64, 64)
  else if (n % 3 === 1) await pool.persist(n * 64, 64)
  else {
    pool.flush(n * 64, 64)
    await pool.drain()
  }
}
look(end)
console.log(pool.replicas[0]?.method)
await pool.close()

function look(name: string): void {
  try {
    accessSync(name)
  } catch {}
}
