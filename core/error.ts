import { inspect } from 'node:util'
import { type CatalogueEntry, catalogue, type ErrorCode } from './catalogue.js'

/** What is true of a range after an operation on it failed. `unknown`: a target may or may not have it. */
export type Durability = 'none' | 'local' | 'unknown'

/** A fact of an error: small, printable and safe for a log. */
export type Fact = string | number | bigint | boolean | readonly (string | number)[] | undefined

export interface ErrorDetails {
  readonly cause?: unknown
  readonly facts?: Readonly<Record<string, Fact>>
  /** Overrides the remedy of the catalogue where more is known. */
  readonly hint?: string
  readonly durability?: Durability
  /** The errno that the C library would have set, as a positive number. */
  readonly errno?: number
}

/**
 * The one error class: compare `code`, never the text. `cause` leads down to errno, fi_errno or remote stderr; `facts`
 * holds the values that the message mentions; `durability` is set where a persist is concerned.
 */
export class RpmemError extends Error {
  override readonly name = 'RpmemError'
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, Fact>>
  readonly hint: string
  readonly durability: Durability | undefined
  readonly errno: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.facts = details.facts ?? {}
    const entry: CatalogueEntry = catalogue[code]
    this.hint = details.hint ?? entry.remedy
    this.durability = details.durability
    this.errno = details.errno ?? entry.errno
  }

  /** The same failure told with more: the original becomes the cause. */
  static wrap(code: ErrorCode, message: string, cause: unknown, details: ErrorDetails = {}): RpmemError {
    return new RpmemError(code, message, { ...details, cause })
  }
}

export function isRpmemError(value: unknown): value is RpmemError {
  return value instanceof RpmemError
}

/** True for an RpmemError of one of these codes. */
export function hasCode(value: unknown, ...codes: readonly ErrorCode[]): value is RpmemError {
  return value instanceof RpmemError && codes.includes(value.code)
}

/** The code of a system error such as ENOENT, or undefined for anything else. */
export function systemCode(value: unknown): string | undefined {
  if (!(value instanceof Error) || !('code' in value)) return undefined
  return typeof value.code === 'string' ? value.code : undefined
}

/** One line per link of the cause chain, outermost first; for people and for logs. */
export function describe(error: unknown): string[] {
  const lines: string[] = []
  for (let link: unknown = error, depth = 0; link !== undefined && depth < 8; depth++) {
    lines.push(line(link))
    link = link instanceof Error ? link.cause : undefined
  }
  return lines
}

function line(link: unknown): string {
  if (link instanceof RpmemError) return `${link.code}: ${link.message}`
  return link instanceof Error ? link.message : inspect(link, { depth: 1, breakLength: 120 })
}
