import { RpmemError } from '../core/index.js'

/** The version of librpmem's interface that RemotePool covers. */
export const librpmemVersion = { major: 1, minor: 3 } as const

/**
 * Undefined if a program that was written for this version of librpmem finds here all that it needs: the same major version, and a
 * minor version that is not newer. Else the reason, for people. Source: rpmem_check_version(3), librpmem(7).
 */
export function checkVersion(majorRequired: number, minorRequired: number): string | undefined {
  const { major, minor } = librpmemVersion
  for (const [name, value] of Object.entries({ majorRequired, minorRequired })) {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) continue
    throw new RpmemError('ERR_ARGUMENT', `${name} must be a whole number of 32 bits`, {
      facts: { argument: name, value },
    })
  }
  if (majorRequired !== major)
    return `major version ${majorRequired} of librpmem is required, this is ${major}.${minor}`
  if (minorRequired > minor)
    return `version ${major}.${minorRequired} of librpmem is required, this is ${major}.${minor}`
  return undefined
}
