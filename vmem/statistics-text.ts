import type { HeapClassStatistics, HeapStatistics } from '../fabric-native/index.js'

/** Letters of vmem_stats_print(3); each leaves a part out, and unknown ones are ignored. */
export function statisticsText(statistics: HeapStatistics, omit = ''): string {
  const parts = [
    ...(omit.includes('g') ? [] : general(statistics)),
    ...totals(statistics),
    ...(omit.includes('m') ? [] : merged(statistics)),
    ...(omit.includes('a') ? [] : arena(statistics)),
    ...(omit.includes('b') ? [] : bins(statistics.classes)),
    ...(omit.includes('l') ? [] : large(statistics)),
  ]
  return ['___ Begin vmem statistics ___', ...parts, '--- End vmem statistics ---', ''].join('\n')
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

export function smallBytes(classes: readonly HeapClassStatistics[]): number {
  return sum(classes.map(({ live, size }) => live * size))
}

function general({ classes, metadata }: HeapStatistics): string[] {
  const sizes = classes.map(({ size }) => size)
  return [
    'Version: 1.1',
    `Arenas: 1, size classes: ${sizes.length} (${sizes[0]} to ${sizes.at(-1)} bytes)`,
    'Page size: 4096',
    `Metadata: ${metadata}`,
  ]
}

function totals({ classes, large, size, free }: HeapStatistics): string[] {
  const allocated = smallBytes(classes) + large.bytes
  return [`Allocated: ${allocated}, active: ${size - free}, mapped: ${size}`, `Free: ${free}`]
}

function merged(statistics: HeapStatistics): string[] {
  const { holes, cached, largestFree, threads } = statistics
  return [
    `Given back to the file system: ${holes}, kept by threads: ${cached}, largest free extent: ${largestFree}`,
    `Threads: ${threads}`,
  ]
}

function arena({ classes, large }: HeapStatistics): string[] {
  const small = { allocated: sum(classes.map(each => each.allocated)), freed: sum(classes.map(each => each.freed)) }
  return [
    row('', 'allocated', 'nmalloc', 'ndalloc'),
    row('small:', smallBytes(classes), small.allocated, small.freed),
    row('large:', large.bytes, large.allocated, large.freed),
  ]
}

function bins(classes: readonly HeapClassStatistics[]): string[] {
  const used = classes.filter(({ allocated, runs }) => allocated > 0 || runs > 0)
  const rows = used.map(each => row(`${each.size}`, each.live, each.allocated, each.freed, each.runs, each.runBytes))
  return [row('bin', 'in use', 'nmalloc', 'ndalloc', 'runs', 'run bytes'), ...rows]
}

function large({ large: { live, bytes, allocated, freed } }: HeapStatistics): string[] {
  return [row('large', 'in use', 'nmalloc', 'ndalloc', 'bytes'), row('', live, allocated, freed, bytes)]
}

const row = (title: string, ...cells: readonly (string | number)[]) =>
  [title.padEnd(8), ...cells.map(cell => String(cell).padStart(12))].join('')
