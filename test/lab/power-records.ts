import { seededRandom } from '../../core/index.js'

/** What one round writes to one pool, record after record; both the writer and the judge get it from the seed alone. */
export interface PowerRecord {
  /** From the first byte that the user may use. */
  readonly offset: number
  readonly bytes: Uint8Array
}

/**
 * Of the pools that a power cut is survived with: which storage holds the master, which the target's replica. The replica of the
 * kept one comes and goes, as its daemon is killed again and again.
 */
export const powerPools = [
  { name: 'disk', master: '/mnt/disk', replica: '/mnt/pmem', salt: 0 },
  { name: 'pmem', master: '/mnt/pmem', replica: '/mnt/disk', salt: 0x5bd1e995 },
  { name: 'kept', master: '/mnt/disk', replica: '/mnt/pmem', salt: 0x1b873593 },
] as const
export type PowerPoolName = (typeof powerPools)[number]['name']

const longest = 6000

/** Records of 1 to 6000 bytes, back to back, until `room` is used up. */
export function* powerRecords(seed: number, name: PowerPoolName, room: number): Generator<PowerRecord> {
  const random = seededRandom(seed + (powerPools.find(pool => pool.name === name)?.salt ?? 0))
  for (let offset = 0; ; ) {
    const [low = 0, high = 0] = random.bytes(2)
    // Of the lengths every other is short: most persists of most programs are.
    const length = 1 + (((high << 8) | low) % (low % 2 === 0 ? 128 : longest))
    if (offset + length > room) return
    yield { offset, bytes: random.bytes(length) }
    offset += length
  }
}
