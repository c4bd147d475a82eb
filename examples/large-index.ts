/**
 * An index larger than the JavaScript heap: keys and values as linked blocks in a volatile pool, found through a table of
 * offsets. Arguments: a directory on a fast file system, the number of entries.
 * Try it with `node --max-old-space-size=64`.
 */
import { getHeapStatistics } from 'node:v8'
import { Vmem } from 'rpmem'

const directory = process.argv[2] ?? '/dev/shm'
const entries = Number(process.argv[3] ?? 2_000_000)
const tableLength = 2 ** Math.ceil(Math.log2(entries))

// An entry: offset of the next one in its chain (8 bytes), its key (8 bytes), its value (112 bytes).
const entrySize = 128
const vmem = await Vmem.create(directory, 2 ** 20 + tableLength * 8 + Math.ceil(entries * entrySize * 1.1))
const table = vmem.calloc(tableLength, 8)

const placeOf = (key: number): number => (Math.imul(key, 0x9e3779b1) >>> 0) & (tableLength - 1)

function put(key: number, value: string): void {
  const offset = vmem.mallocOffset(entrySize)
  const entry = vmem.view(offset, entrySize)
  const place = placeOf(key) * 8
  entry.writeDoubleLE(table.readDoubleLE(place), 0)
  entry.writeDoubleLE(key, 8)
  entry.fill(0, 16 + entry.write(value, 16))
  table.writeDoubleLE(offset, place)
}

function get(key: number): string | undefined {
  for (let offset = table.readDoubleLE(placeOf(key) * 8); offset !== 0; ) {
    const entry = vmem.view(offset, entrySize)
    if (entry.readDoubleLE(8) === key) return entry.toString('utf8', 16, entry.indexOf(0, 16))
    offset = entry.readDoubleLE(0)
  }
  return undefined
}

for (let key = 0; key < entries; key++) put(key, `value of ${key}, ${'x'.repeat(80)}`)

const { heap_size_limit: limit } = getHeapStatistics()
const { size, free } = vmem.stats()
console.log(
  `index of ${Math.round((size - free) / 2 ** 20)} MiB, JavaScript heap of at most ${Math.round(limit / 2 ** 20)} MiB`,
)
for (const key of [0, Math.floor(entries / 2), entries - 1, entries]) console.log(`${key}: ${get(key)?.split(',')[0]}`)
console.log(`consistent: ${vmem.check().consistent}`)
await vmem.close()
