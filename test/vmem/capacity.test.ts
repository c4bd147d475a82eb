import t from 'tap'
import { KiB, MiB } from '../../core/index.js'
import { fill, poolBeds, tryMalloc } from './pool-bed.js'

const sizes = [8, 16, 64, 100, KiB, 4 * KiB, 64 * KiB, MiB, 4 * MiB]

/** Percent of the raw size that libvmem could use, by block size, and its largest single block in MiB (measured). */
const libvmem: [number, number[], number][] = [
  [14, [55, 56, 56, 50, 55, 57, 56, 43, 57], 8],
  [16, [73, 73, 73, 65, 73, 74, 74, 56, 50], 12],
  [32, [85, 86, 86, 76, 85, 87, 86, 66, 75], 28],
  [64, [91, 92, 92, 82, 91, 93, 92, 70, 88], 60],
  [256, [96, 96, 96, 86, 95, 98, 97, 74, 97], 252],
]

for (const bed of poolBeds) {
  for (const [raw, percents, largest] of libvmem) {
    t.test(`a ${bed.name} pool of ${raw} MiB holds at least what libvmem’s does`, async t => {
      const vmem = bed.open(t, raw * MiB)
      // A third of the small blocks of the largest pool is enough to know the share: it does not change on the way.
      for (const [at, size] of sizes.entries()) {
        if (raw === 256 && size < 64) continue
        const offsets = fill(vmem, size)
        const share = (offsets.length * size * 100) / (raw * MiB)
        t.ok(Math.round(share) >= (percents[at] ?? 0), `${size} B: ${share.toFixed(1)} %, libvmem ${percents[at]} %`)
        for (const offset of offsets) vmem.freeOffset(offset)
      }
      t.ok(tryMalloc(vmem, largest * MiB) > 0, `a block of ${largest} MiB`)
    })
  }
}
