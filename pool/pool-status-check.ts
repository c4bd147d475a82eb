import type { PoolStatus } from './pool-status.js'

type Check = (value: unknown) => boolean

const text: Check = value => typeof value === 'string'
const number: Check = value => typeof value === 'number' && Number.isFinite(value) && value >= 0
const flag: Check = value => typeof value === 'boolean'
const optional =
  (check: Check): Check =>
  value =>
    value === undefined || check(value)
const list =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check)
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  value => {
    if (typeof value !== 'object' || value === null) return false
    const given = value as Readonly<Record<string, unknown>>
    return Object.entries(fields).every(([name, check]) => check(given[name]))
  }

const reason = record({ provider: text, chosen: flag, reason: text })
const replica = record({
  name: text,
  kind: text,
  state: text,
  method: text,
  transport: optional(record({ provider: text, persistMethod: text, why: list(reason) })),
  missingBytes: number,
  failure: optional(text),
  verifiedAt: optional(text),
  retries: number,
  resync: optional(
    record({ phase: text, doneBytes: number, leftBytes: number, bytesPerSecond: number, leftMs: optional(number) }),
  ),
  latency: optional(record({ counts: list(number), sumUs: number })),
})
const change = record({
  sequence: number,
  at: text,
  replica: optional(text),
  state: text,
  failure: optional(text),
  nextAttemptMs: optional(number),
})
const status = record({
  state: text,
  size: number,
  process: record({ host: text, boot: text, pidNamespace: text, pid: number, startTicks: number }),
  openedAt: text,
  notedAt: text,
  replicas: list(replica),
  changes: list(change),
})

/** Has it the shape of what we write? Words may be those of another version: whoever shows them must not rely on them. */
export const isPoolStatus = (value: unknown): value is PoolStatus => status(value)
