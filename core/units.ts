/** Sizes are bytes everywhere; these are the factors that people write. */
export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB

/** The page size of the media format; PMDK's headers and offsets are multiples of it on every supported machine. */
export const pageSize = 4096

export const alignDown = (value: number, alignment: number): number => value - (value % alignment)
export const alignUp = (value: number, alignment: number): number => alignDown(value + alignment - 1, alignment)

const binarySteps = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** 1536 → '1.5 KiB'; at most one digit after the point. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let step = 0
  while (Math.abs(value) >= 1024 && step < binarySteps.length - 1) {
    value /= 1024
    step++
  }
  return `${Number(value.toFixed(1))} ${binarySteps[step]}`
}

/** Microseconds as people read them: '8.4 µs', '1.25 ms', '3 s'. */
export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${Number(us.toFixed(1))} µs`
  return us < 1_000_000 ? `${Number((us / 1000).toFixed(2))} ms` : `${Number((us / 1_000_000).toFixed(2))} s`
}
