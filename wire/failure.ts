import { catalogue, describe, type ErrorCode, type Fact, RpmemError } from '../core/index.js'
import type { RemoteFacts } from './control-field.js'
import type { ControlMessage } from './control-table.js'

/** Longest texts that a failure carries; escaped as JSON at their worst they still fit a frame. */
const maxMessage = 2048
const maxHint = 1024
const maxFactsSize = 24 * 1024
const maxFact = 1024

/**
 * Any error as the message that the target sends in place of an answer; `id` is that of the request, or 0 before `hello`.
 * The cause chain travels as text in the fact `cause`. What is no RpmemError is a bug of this end and becomes ERR_REMOTE.
 */
export function failureOf(error: unknown, id: number): ControlMessage<'failure'> {
  const ours = error instanceof RpmemError ? error : bug(error)
  return {
    type: 'failure',
    id,
    code: ours.code,
    message: ours.message.slice(0, maxMessage),
    facts: factsOf(ours),
    hint: ours.hint.slice(0, maxHint),
    errno: ours.errno,
  }
}

const bug = (error: unknown): RpmemError =>
  RpmemError.wrap('ERR_REMOTE', `rpmemd failed inside: ${describe(error)[0] ?? ''}`, error)

function factsOf(error: RpmemError): RemoteFacts {
  const all: [string, Fact][] = Object.entries(error.facts)
  if (error.cause !== undefined) all.push(['cause', describe(error.cause).join('; ')])
  const kept: [string, RemoteFacts[string]][] = []
  let size = 0
  for (const [key, value] of all) {
    const fact = portable(value)
    if (fact === undefined) continue
    size += key.length * 6 + Buffer.byteLength(JSON.stringify(fact)) + 4
    if (size > maxFactsSize) break
    kept.push([key, fact])
  }
  return Object.fromEntries(kept)
}

function portable(fact: Fact): RemoteFacts[string] | undefined {
  if (typeof fact === 'bigint') return fact.toString()
  if (typeof fact === 'number') return Number.isFinite(fact) ? fact : String(fact)
  return typeof fact === 'string' ? fact.slice(0, maxFact) : fact
}

/**
 * The failure as the initiator raises it. A code that only a newer target knows becomes ERR_REMOTE, with the code among the
 * facts and message and hint as the target wrote them.
 */
export function errorOf(failure: ControlMessage<'failure'>): RpmemError {
  const known = isErrorCode(failure.code)
  const facts = known ? failure.facts : { ...failure.facts, remoteCode: failure.code }
  return new RpmemError(known ? failure.code : 'ERR_REMOTE', failure.message, {
    facts,
    ...(failure.hint === '' ? {} : { hint: failure.hint }),
    ...(failure.errno === undefined ? {} : { errno: failure.errno }),
  })
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(catalogue, code)
