import { assert, printable } from '../core/index.js'
import { violation } from './violation.js'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** One field of a control message: how its JSON is read, with every rule checked, and how it is written. */
export interface Field<T> {
  read(json: unknown, where: Where): T
  write(value: T): Json
}

/** A field that may not be there at all. */
export interface OptionalField<T> extends Field<T | undefined> {
  readonly optional: true
}

export type FieldValue<F> = F extends Field<infer T> ? T : never

/** For the error: which message, which field. */
export interface Where {
  readonly message: string
  readonly field: string
}

const wrong = (where: Where, rule: string): Error =>
  violation(where.message, `${where.field} is ${rule}`, { field: where.field })

/** A field whose JSON form is its value, if it passes. */
const plain = <T extends Json>(rule: string, passes: (json: unknown) => json is T): Field<T> => ({
  read(json, where) {
    if (!passes(json)) throw wrong(where, rule)
    return json
  },
  write(value) {
    assert(passes(value), `a control field is ${rule}`)
    return value
  },
})

export const integer = (least: number, most = Number.MAX_SAFE_INTEGER): Field<number> =>
  plain(
    `a whole number from ${least} to ${most}`,
    (json): json is number => Number.isSafeInteger(json) && Number(json) >= least && Number(json) <= most,
  )

export const text = (most: number): Field<string> =>
  plain(
    `a text of at most ${most} characters`,
    (json): json is string => typeof json === 'string' && json.length <= most,
  )

/** Text that the other end wrote for people; it must not command their terminals. */
export const prose = (most: number): Field<string> => ({
  read: (json, where) => printable(text(most).read(json, where)),
  write: text(most).write,
})

export const flag: Field<boolean> = plain('true or false', (json): json is boolean => typeof json === 'boolean')

export const oneOf = <T extends string>(...names: readonly T[]): Field<T> =>
  plain(`one of ${names.join(', ')}`, (json): json is T => names.some(name => name === json))

/** A quantity that may exceed what JSON can hold exactly; beyond 2^53 - 1 it is as good as unlimited and written so. */
export const ceiling: Field<number> = {
  read: integer(0).read,
  write: value => Math.min(value, Number.MAX_SAFE_INTEGER),
}

/** Bytes in lower-case hexadecimal. */
export const hex = (size: number): Field<Uint8Array> => ({
  read(json, where) {
    if (typeof json === 'string' && json.length === size * 2 && /^[0-9a-f]*$/.test(json)) {
      return new Uint8Array(Buffer.from(json, 'hex'))
    }
    throw wrong(where, `${size} bytes in hexadecimal`)
  },
  write(value) {
    assert(value.length === size, `a control field holds ${size} bytes`)
    return Buffer.from(value).toString('hex')
  },
})

/** The same for at most so many bytes. */
export const hexUpTo = (most: number): Field<Uint8Array> => ({
  read(json, where) {
    if (typeof json === 'string' && json.length <= most * 2 && /^([0-9a-f]{2})*$/.test(json)) {
      return new Uint8Array(Buffer.from(json, 'hex'))
    }
    throw wrong(where, `at most ${most} bytes in hexadecimal`)
  },
  write(value) {
    assert(value.length <= most, `a control field holds at most ${most} bytes`)
    return Buffer.from(value).toString('hex')
  },
})

const maxU64 = 2n ** 64n - 1n

/** 64 bits that are no count, in decimal text. */
export const word64: Field<bigint> = {
  read(json, where) {
    if (typeof json === 'string' && /^(0|[1-9][0-9]{0,19})$/.test(json)) {
      const value = BigInt(json)
      if (value <= maxU64) return value
    }
    throw wrong(where, 'a 64-bit number in decimal text')
  },
  write(value) {
    assert(value >= 0n && value <= maxU64, 'a control field fits 64 bits')
    return value.toString()
  },
}

/** `null` in JSON, undefined here. */
export const nullable = <T>(field: Field<T>): Field<T | undefined> => ({
  read: (json, where) => (json === null ? undefined : field.read(json, where)),
  write: value => (value === undefined ? null : field.write(value)),
})

/** As nullable, but undefined is left out, as an older peer does that knows nothing of it. */
export const optional = <T>(field: Field<T>): OptionalField<T> => ({ ...nullable(field), optional: true })

export const list = <T>(field: Field<T>, most: number): Field<readonly T[]> => ({
  read(json, where) {
    if (!Array.isArray(json) || json.length > most) throw wrong(where, `a list of at most ${most} entries`)
    return json.map((entry, at) => field.read(entry, { ...where, field: `${where.field}[${at}]` }))
  },
  write(value) {
    assert(value.length <= most, `a control list has at most ${most} entries`)
    return value.map(entry => field.write(entry))
  },
})

export type Fields = Readonly<Record<string, Field<never> | Field<unknown>>>
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends { optional: true } ? K : never }[keyof F]
export type FieldValues<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: FieldValue<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: FieldValue<F[K]>
}

export function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** A table of fields. Unknown ones are ignored, so that a newer peer may say more; missing ones are wrong. */
export const record = <F extends Fields>(fields: F): Field<FieldValues<F>> => ({
  read(json, where) {
    if (!isObject(json)) throw wrong(where, 'an object')
    const entries = Object.entries(fields).flatMap(([key, field]) => {
      const inner = { message: where.message, field: where.field === '' ? key : `${where.field}.${key}` }
      if (Object.hasOwn(json, key)) return [[key, field.read(json[key], inner)]]
      if ('optional' in field) return []
      throw wrong(inner, 'missing')
    })
    return Object.fromEntries(entries) as FieldValues<F>
  },
  write(value) {
    const values = value as Readonly<Record<string, never>>
    const said = Object.entries(fields).filter(([key, field]) => !('optional' in field && values[key] === undefined))
    return Object.fromEntries(said.map(([key, field]) => [key, field.write(values[key] as never)]))
  },
})
