import { RpmemError } from '../core/index.js'
import type { VersionRange } from './control-field.js'
import type { ControlMessage } from './control-table.js'
import { violation } from './violation.js'

/** Versions of the rpmem dialect that this program speaks. */
export const ourVersions: VersionRange = { min: 1, max: 1 }

/** The target answers a ping at once, also while it works on a request: silence means that it does not live. */
export const promptPing = 'prompt-ping'

/** Abilities beyond the version that this program has; version 1 needs none. */
export const ourCapabilities: readonly string[] = [promptPing]

/** The highest version that both speak; ERR_VERSION with both ranges where there is none. */
export function chooseVersion(ours: VersionRange, theirs: VersionRange): number {
  const version = Math.min(ours.max, theirs.max)
  if (version >= Math.max(ours.min, theirs.min)) return version
  const show = (range: VersionRange) => (range.min === range.max ? `${range.min}` : `${range.min} to ${range.max}`)
  const message = `this end speaks version ${show(ours)} of the rpmem protocol, the other ${show(theirs)}`
  throw new RpmemError('ERR_VERSION', message, {
    facts: { ours: [ours.min, ours.max], theirs: [theirs.min, theirs.max] },
  })
}

/** What both can, in our order, each once. */
export function commonCapabilities(ours: readonly string[], theirs: readonly string[]): string[] {
  return [...new Set(ours)].filter(capability => theirs.includes(capability))
}

/** The initiator's answer to hello. */
export function acceptHello(
  hello: ControlMessage<'hello'>,
  ours: { readonly versions: VersionRange; readonly capabilities: readonly string[] } = {
    versions: ourVersions,
    capabilities: ourCapabilities,
  },
): ControlMessage<'accept'> {
  return {
    type: 'accept',
    version: chooseVersion(ours.versions, hello.versions),
    capabilities: commonCapabilities(ours.capabilities, hello.capabilities),
  }
}

/** The target's check: an accept that takes more than its hello offered is ERR_PROTOCOL. */
export function checkAccept(hello: ControlMessage<'hello'>, accept: ControlMessage<'accept'>): void {
  const { min, max } = hello.versions
  const { version } = accept
  if (version < min || version > max) throw violation('accept', 'the version is one that was offered', { version })
  const foreign = accept.capabilities.find(capability => !hello.capabilities.includes(capability))
  if (foreign !== undefined) {
    throw violation('accept', 'the capabilities are among those offered', { capability: foreign })
  }
}
