import { appendFileSync, writeFileSync } from 'node:fs'
import { formatBytes } from '../core/index.js'

/** One measured scenario, one object a line in the JSON file. */
export interface Row {
  readonly bench: string
  readonly provider: string
  readonly mode: string
  readonly bytes: number
  readonly lanes: number
  readonly inflight: number
  readonly p50Us: number
  readonly p99Us: number
  readonly opsPerSecond: number
  /** Median of the plain TCP exchange of the same size in the same run; 0 where there is none to compare with. */
  readonly floorUs: number
}

/** Prints rows as they come and, if a file is named, writes them there as JSON lines. */
export class Report {
  readonly rows: Row[] = []
  readonly #file: string | undefined

  constructor(file: string | undefined) {
    this.#file = file
    if (file !== undefined) writeFileSync(file, '')
    console.log(heading)
  }

  add(row: Row): void {
    this.rows.push(row)
    console.log(lineOf(row))
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(row)}\n`)
  }
}

const columns = [
  ['provider', 9],
  ['mode', 22],
  ['size', 9],
  ['lanes', 6],
  ['in flight', 10],
  ['p50 µs', 10],
  ['p99 µs', 10],
  ['op/s', 10],
  ['floor µs', 9],
  ['ratio', 6],
] as const

const cells = (values: readonly string[]) =>
  values
    .map((value, at) => (at < 2 ? value.padEnd(columns[at]?.[1] ?? 0) : value.padStart(columns[at]?.[1] ?? 0)))
    .join('')

const heading = cells(columns.map(([title]) => title))

const rounded = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1))

function lineOf(row: Row): string {
  const floor = row.floorUs > 0 ? [rounded(row.floorUs), (row.p50Us / row.floorUs).toFixed(2)] : ['', '']
  const numbers = [rounded(row.p50Us), rounded(row.p99Us), row.opsPerSecond.toFixed(0), ...floor]
  const size = row.bytes > 0 ? formatBytes(row.bytes) : ''
  return cells([row.provider, row.mode, size, String(row.lanes), String(row.inflight), ...numbers])
}
