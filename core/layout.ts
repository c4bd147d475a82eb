import { assert } from './assert.js'
import { RpmemError } from './error.js'

/**
 * Layouts of bytes on the wire and on the media. One table of kinds gives reader, writer, size and offsets, so the two
 * sides cannot disagree. Sizes are fixed; variable tails are the business of the message that has one.
 */
export interface Kind<T> {
  readonly size: number
  read(view: DataView, at: number): T
  write(view: DataView, at: number, value: T): void
}

export type ValueOf<K> = K extends Kind<infer T> ? T : never

const number = (
  size: number,
  get: (view: DataView, at: number) => number,
  set: (view: DataView, at: number, value: number) => void,
): Kind<number> => ({
  size,
  read: get,
  write(view, at, value) {
    assert(Number.isInteger(value), 'a layout number is an integer')
    assert(value >= -(2 ** (size * 8 - 1)) && value < 2 ** (size * 8), 'a layout number fits its field')
    set(view, at, value)
  },
})

export const u8 = number(
  1,
  (v, at) => v.getUint8(at),
  (v, at, n) => v.setUint8(at, n),
)
export const u16le = number(
  2,
  (v, at) => v.getUint16(at, true),
  (v, at, n) => v.setUint16(at, n, true),
)
export const u16be = number(
  2,
  (v, at) => v.getUint16(at),
  (v, at, n) => v.setUint16(at, n),
)
export const u32le = number(
  4,
  (v, at) => v.getUint32(at, true),
  (v, at, n) => v.setUint32(at, n, true),
)
export const u32be = number(
  4,
  (v, at) => v.getUint32(at),
  (v, at, n) => v.setUint32(at, n),
)
export const i32le = number(
  4,
  (v, at) => v.getInt32(at, true),
  (v, at, n) => v.setInt32(at, n, true),
)

const big = (littleEndian: boolean): Kind<bigint> => ({
  size: 8,
  read: (view, at) => view.getBigUint64(at, littleEndian),
  write: (view, at, value) => view.setBigUint64(at, value, littleEndian),
})

/** 64 bits that need not be a count: keys, addresses, checksums. */
export const u64le = big(true)
export const u64be = big(false)

const count = (wide: Kind<bigint>): Kind<number> => ({
  size: 8,
  read(view, at) {
    const value = wide.read(view, at)
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
    throw new RpmemError('ERR_LAYOUT_RANGE', `the 64-bit number ${value} is too large`, { facts: { value, at } })
  },
  write(view, at, value) {
    assert(Number.isSafeInteger(value) && value >= 0, 'a 64-bit count is a safe integer')
    wide.write(view, at, BigInt(value))
  },
})

/** 64-bit sizes, offsets and times, held as numbers; larger than 2^53 - 1 is refused when read. */
export const count64be = count(u64be)
export const count64le = count(u64le)

/** As many as `length` of one kind, one behind the other. */
export const list = <T>(kind: Kind<T>, length: number): Kind<readonly T[]> => ({
  size: kind.size * length,
  read: (view, at) => Array.from({ length }, (_, index) => kind.read(view, at + index * kind.size)),
  write(view, at, values) {
    assert(values.length === length, `a list of ${length} gets exactly as many`)
    for (const [index, value] of values.entries()) kind.write(view, at + index * kind.size, value)
  },
})

/** Raw bytes, copied out when read. */
export const bytes = (size: number): Kind<Uint8Array> => ({
  size,
  read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
  write(view, at, value) {
    assert(value.length === size, `a field of ${size} bytes gets exactly as many`)
    new Uint8Array(view.buffer, view.byteOffset + at, size).set(value)
  },
})

/** Reserved space: written as zero, ignored when read. */
export const reserved = (size: number): Kind<undefined> => ({
  size,
  read: () => undefined,
  write: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).fill(0) && undefined,
})

type Fields = Readonly<Record<string, Kind<never> | Kind<unknown>>>
type Values<F extends Fields> = {
  -readonly [K in keyof F as ValueOf<F[K]> extends undefined ? never : K]: ValueOf<F[K]>
} & {}

export interface Layout<T> extends Kind<T> {
  readonly name: string
  /** Field name → offset, in order of the table. */
  readonly offsets: Readonly<Record<string, number>>
  encode(value: T): Uint8Array
  /** Reads at `at`; bytes that are too short are ERR_LAYOUT_TRUNCATED. */
  decode(source: Uint8Array, at?: number): T
}

/** A table of fields without padding. `size` is what the specification says and is asserted. */
export function struct<F extends Fields>(name: string, size: number, fields: F): Layout<Values<F>> {
  const rows = place(fields)
  assert(rows.reduce((sum, row) => sum + row.kind.size, 0) === size, `${name} takes ${size} bytes`)
  const read = (view: DataView, at: number) => readRows<Values<F>>(rows, view, at)
  const write = (view: DataView, at: number, value: Values<F>) => writeRows(rows, view, at, value)
  return {
    name,
    size,
    offsets: Object.fromEntries(rows.map(row => [row.key, row.at])),
    read,
    write,
    encode(value) {
      const target = new Uint8Array(size)
      write(viewOf(target), 0, value)
      return target
    },
    decode(source, at = 0) {
      if (source.length - at < size) throw truncated(name, size, source.length - at)
      return read(viewOf(source), at)
    },
  }
}

interface Row {
  readonly key: string
  readonly at: number
  readonly kind: Kind<unknown>
}

function place(fields: Fields): Row[] {
  let at = 0
  return Object.entries(fields).map(([key, kind]) => {
    const row = { key, at, kind: kind as Kind<unknown> }
    at += kind.size
    return row
  })
}

function readRows<T>(rows: readonly Row[], view: DataView, at: number): T {
  const value: Record<string, unknown> = {}
  for (const row of rows) {
    const read = row.kind.read(view, at + row.at)
    if (read !== undefined) value[row.key] = read
  }
  return value as T
}

function writeRows(rows: readonly Row[], view: DataView, at: number, value: object): void {
  const record = value as Record<string, unknown>
  for (const row of rows) row.kind.write(view, at + row.at, record[row.key])
}

function truncated(name: string, size: number, have: number): RpmemError {
  return new RpmemError('ERR_LAYOUT_TRUNCATED', `${name} takes ${size} bytes, but there are only ${have}`, {
    facts: { name, size, have },
  })
}

const viewOf = (source: Uint8Array): DataView => new DataView(source.buffer, source.byteOffset, source.byteLength)
