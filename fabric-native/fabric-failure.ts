import { type Durability, type ErrorCode, type Fact, RpmemError } from '../core/index.js'
import { type FabricFailureKind, fabricFailures, type NativeFabricFailure } from './fabric-binding.js'
import { SystemError } from './native-failure.js'

const codes: Readonly<Record<FabricFailureKind, ErrorCode>> = {
  none: 'ERR_FABRIC',
  'library-missing': 'ERR_LIBFABRIC_MISSING',
  call: 'ERR_FABRIC',
  'locked-memory': 'ERR_LOCKED_MEMORY',
  'unpinnable-memory': 'ERR_MEMORY_UNPINNABLE',
  unreachable: 'ERR_PORT_UNREACHABLE',
  refused: 'ERR_IN_BAND_REFUSED',
  lost: 'ERR_TARGET_LOST',
  deadline: 'ERR_DEADLINE',
  closed: 'ERR_CLOSED',
  protocol: 'ERR_PROTOCOL',
  memory: 'ERR_POOL_TRUNCATED',
}

export function isFabricFailure(value: unknown): value is NativeFabricFailure {
  return value instanceof Error && 'failure' in value && typeof value.failure === 'number'
}

/** A failure of the addon in words; anything else, being a bug, is passed through. */
export function fabricError(
  failure: unknown,
  what: string,
  facts: Readonly<Record<string, Fact>> = {},
  durability?: Durability,
): unknown {
  if (!isFabricFailure(failure)) return failure
  const { call, code } = failure
  const kind = fabricFailures[failure.failure] ?? 'call'
  const details = { ...facts, ...(call === '' ? {} : { call }), ...(code === 0 ? {} : { fiErrno: code }) }
  return new RpmemError(codes[kind], `${what}: ${failure.message}`, {
    facts: details,
    ...(durability === undefined ? {} : { durability }),
  })
}

export function storageError(errno: number): RpmemError {
  return new RpmemError('ERR_TARGET_STORAGE', 'the target could not make the range durable', {
    cause: new SystemError(errno, 'target'),
    facts: { errno },
    durability: 'unknown',
  })
}
