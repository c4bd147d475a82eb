import { type ErrorCode, errno, RpmemError } from '../core/index.js'

interface StatusRow {
  readonly value: number
  /** errno that librpmem sets for it. */
  readonly errno: number
  readonly code: ErrorCode
  readonly meaning: string
  /** Further codes of ours that a target answers with this status. */
  readonly also?: readonly ErrorCode[]
}

/** Statuses of PMDK's responses other than success; source: rpmem_proto.h and rpmem_util_proto_errno of PMDK 1.12. */
const rows = {
  BADPROTO: {
    value: 1,
    errno: errno.EPROTONOSUPPORT,
    code: 'ERR_VERSION',
    meaning: 'it does not support this version of the protocol',
  },
  BADNAME: {
    value: 2,
    errno: errno.EINVAL,
    code: 'ERR_POOLSET_OUTSIDE',
    meaning: 'it does not accept the name of the pool set',
  },
  BADSIZE: {
    value: 3,
    errno: errno.EFBIG,
    code: 'ERR_POOL_SIZE',
    meaning: 'its pool is smaller than the size asked for',
  },
  BADNLANES: {
    value: 4,
    errno: errno.EINVAL,
    code: 'ERR_ARGUMENT',
    meaning: 'it does not accept the number of lanes',
  },
  BADPROVIDER: {
    value: 5,
    errno: errno.EINVAL,
    code: 'ERR_NO_PROVIDER',
    meaning: 'it cannot use the fabric provider',
    also: ['ERR_LIBFABRIC_MISSING'],
  },
  FATAL: {
    value: 6,
    errno: errno.EREMOTEIO,
    code: 'ERR_REMOTE',
    meaning: 'it failed for a reason that it does not name',
  },
  FATAL_CONN: {
    value: 7,
    errno: errno.ECONNABORTED,
    code: 'ERR_PORT_UNREACHABLE',
    meaning: 'it could not listen on its address',
  },
  BUSY: {
    value: 8,
    errno: errno.EBUSY,
    code: 'ERR_POOL_BUSY',
    meaning: 'the pool is in use',
  },
  EXISTS: {
    value: 9,
    errno: errno.EEXIST,
    code: 'ERR_PART_EXISTS',
    meaning: 'a part of the pool already holds a header',
  },
  PROVNOSUP: {
    value: 10,
    errno: errno.EMEDIUMTYPE,
    code: 'ERR_NO_PROVIDER',
    meaning: 'it does not support the fabric provider',
  },
  NOEXIST: {
    value: 11,
    errno: errno.ENOENT,
    code: 'ERR_POOLSET_MISSING',
    meaning: 'the pool set, or a part of it, does not exist',
    also: ['ERR_PART_MISSING'],
  },
  NOACCESS: {
    value: 12,
    errno: errno.EACCES,
    code: 'ERR_PART_ACCESS',
    meaning: 'it may not read or write the pool set or one of its parts',
    also: ['ERR_POOLSET_UNREADABLE'],
  },
  POOL_CFG: {
    value: 13,
    errno: errno.EINVAL,
    code: 'ERR_POOLSET_UNSUITABLE',
    meaning: 'the pool set does not fit: its syntax, its sizes, its headers or its options against the attributes',
    also: ['ERR_POOLSET_SYNTAX', 'ERR_PART_SIZE', 'ERR_ATTRIBUTES', 'ERR_HEADER_INVALID'],
  },
} as const satisfies Record<string, StatusRow>

export type PmdkRefusal = keyof typeof rows
export type PmdkStatus = 'SUCCESS' | PmdkRefusal

const refusals: Readonly<Record<PmdkRefusal, StatusRow>> = rows
export const pmdkRefusals = Object.keys(rows) as readonly PmdkRefusal[]

export const pmdkStatusValue = (status: PmdkStatus): number => (status === 'SUCCESS' ? 0 : refusals[status].value)

/** Undefined for a value that PMDK does not know (14 and above). */
export function pmdkStatusOf(value: number): PmdkStatus | undefined {
  return value === 0 ? 'SUCCESS' : pmdkRefusals.find(name => refusals[name].value === value)
}

/** What the initiator makes of a refusal; the errno is that of librpmem. */
export function refusalError(status: PmdkRefusal, request: string): RpmemError {
  const row = refusals[status]
  return new RpmemError(row.code, `the target refused to ${request}: ${row.meaning}`, {
    facts: { status, value: row.value, request },
    errno: row.errno,
  })
}

/** The errno that librpmem sets when a target answers with this code; undefined where PMDK only has FATAL for it. */
export function refusalErrno(code: ErrorCode): number | undefined {
  const name = pmdkRefusals.find(refusal => speaksOf(refusals[refusal], code))
  return name === undefined || name === 'FATAL' ? undefined : refusals[name].errno
}

const speaksOf = (row: StatusRow, code: ErrorCode): boolean => row.code === code || (row.also ?? []).includes(code)

/** What the target answers a PMDK initiator after this failure; FATAL where PMDK has no word for it. */
export function refusalFor(error: unknown): PmdkRefusal {
  if (!(error instanceof RpmemError)) return 'FATAL'
  return pmdkRefusals.find(name => speaksOf(refusals[name], error.code)) ?? 'FATAL'
}
