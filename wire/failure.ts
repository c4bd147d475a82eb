import { catalogue, describe, type ErrorCode, type Fact, RpmemError } from '../core/index.js'
import { limitFacts, type RemoteFact, type RemoteFacts } from './control-field.js'
import type { ControlMessage } from './control-table.js'
import { refusalErrno } from './pmdk-status.js'

/** Longest texts that a failure carries; escaped as JSON at their worst they still fit a frame. */
const maxMessage = 4096
const maxHint = 1024
const maxFactsSize = 24 * 1024

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
    errno: isErrno(ours.errno) ? ours.errno : undefined,
  }
}

const isErrno = (value: number | undefined): boolean => Number.isSafeInteger(value) && Number(value) > 0

const bug = (error: unknown): RpmemError =>
  RpmemError.wrap('ERR_REMOTE', `rpmemd failed inside: ${describe(error)[0] ?? ''}`, error)

/** Each fact cut to its limit; of those that together are too much, the ones that still fit. */
function factsOf(error: RpmemError): RemoteFacts {
  const cause: Record<string, Fact> = error.cause === undefined ? {} : { cause: describe(error.cause).join('; ') }
  const kept: [string, RemoteFact][] = []
  let left = maxFactsSize
  for (const [key, fact] of Object.entries(limitFacts({ ...error.facts, ...cause }))) {
    const size = Buffer.byteLength(JSON.stringify([key, fact]))
    if (size > left) continue
    left -= size
    kept.push([key, fact])
  }
  return Object.fromEntries(kept)
}

/**
 * The failure as the initiator raises it. A code that only a newer target knows becomes ERR_REMOTE, with the code among the
 * facts and message and hint as the target wrote them. The errno is that of librpmem for an answer of the same meaning.
 */
export function errorOf(failure: ControlMessage<'failure'>): RpmemError {
  const known = isErrorCode(failure.code)
  const number = (known ? refusalErrno(failure.code as ErrorCode) : undefined) ?? failure.errno
  const facts = known ? failure.facts : { ...failure.facts, remoteCode: failure.code }
  const message = failure.message === '' ? `the target failed with ${failure.code} and said no more` : failure.message
  return new RpmemError(known ? failure.code : 'ERR_REMOTE', message, {
    facts,
    ...(failure.hint === '' ? {} : { hint: failure.hint }),
    ...(number === undefined ? {} : { errno: number }),
  })
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(catalogue, code)
