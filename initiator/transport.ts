import { RpmemError } from '../core/index.js'
import { type ProviderName, type ProviderOffer, type ProviderReport, providerNames } from '../fabric-native/index.js'
import type { TransportReason } from '../pool/index.js'

export interface TransportRules {
  /** Only this provider will do. */
  readonly require?: ProviderName | undefined
  readonly verbs: boolean
  readonly sockets: boolean
}

export interface TransportChoice {
  readonly provider: ProviderName
  /** What both ends can. */
  readonly maxLanes: number
  readonly why: readonly TransportReason[]
}

const disabled: Readonly<Record<ProviderName, string>> = {
  verbs: 'disabled by RPMEM_ENABLE_VERBS',
  tcp: '',
  sockets: 'not enabled (RPMEM_ENABLE_SOCKETS=1 enables it)',
}

/** The providers worth probing here: the rules allow them. */
export const candidates = (rules: TransportRules): ProviderName[] =>
  providerNames.filter(provider => ruleAgainst(provider, rules) === undefined)

/**
 * The first provider of the order verbs, tcp, sockets that the rules allow and both ends have, in the same wire format.
 * `theirs` is undefined for a PMDK peer, which reports nothing and knows verbs and sockets. ERR_NO_PROVIDER lists every reason.
 */
export function chooseTransport(
  ours: readonly ProviderReport[],
  theirs: readonly ProviderReport[] | undefined,
  rules: TransportRules,
): TransportChoice {
  const verdicts = providerNames.map(provider => ({ provider, ...judge(provider, ours, theirs, rules) }))
  const winner = verdicts.find(({ reason }) => reason === undefined)
  const why = verdicts.map(({ provider, reason }) => ({
    provider,
    chosen: provider === winner?.provider,
    reason:
      reason ?? (provider === winner?.provider ? 'the first that both ends have' : `${winner?.provider} comes first`),
  }))
  if (winner === undefined) throw noProvider(why)
  return { provider: winner.provider, maxLanes: winner.maxLanes, why }
}

/** One line for each candidate, for logs and people. */
export const describeReasons = (why: readonly TransportReason[]): string[] =>
  why.map(({ provider, chosen, reason }) => `${provider}: ${chosen ? 'chosen, ' : ''}${reason}`)

interface Verdict {
  /** Undefined: nothing speaks against it. */
  readonly reason: string | undefined
  readonly maxLanes: number
}

function judge(
  provider: ProviderName,
  ours: readonly ProviderReport[],
  theirs: readonly ProviderReport[] | undefined,
  rules: TransportRules,
): Verdict {
  const against = (reason: string): Verdict => ({ reason, maxLanes: 0 })
  const rule = ruleAgainst(provider, rules)
  if (rule !== undefined) return against(rule)
  if (theirs === undefined && provider === 'tcp') return against("PMDK's rpmemd does not know it")
  const here = offerOf(provider, ours)
  if (typeof here === 'string') return against(`here: ${here}`)
  if (theirs === undefined) return { reason: undefined, maxLanes: here.maxLanes }
  const there = offerOf(provider, theirs)
  if (typeof there === 'string') return against(`on the target: ${there}`)
  const skew = skewOf(here, there)
  if (skew !== undefined) return against(skew)
  return { reason: undefined, maxLanes: Math.min(here.maxLanes, there.maxLanes) }
}

function ruleAgainst(provider: ProviderName, rules: TransportRules): string | undefined {
  if (rules.require !== undefined && rules.require !== provider) return `${rules.require} is required`
  const enabled = provider === 'tcp' || rules[provider] || rules.require === provider
  return enabled ? undefined : disabled[provider]
}

function offerOf(provider: ProviderName, reports: readonly ProviderReport[]): ProviderOffer | string {
  const report = reports.find(known => known.provider === provider)
  if (report === undefined) return 'nothing is known of it'
  return report.offer ?? report.reason
}

/** Names may differ between versions of libfabric; what travels must not. */
function skewOf(here: ProviderOffer, there: ProviderOffer): string | undefined {
  if (here.protocol === there.protocol && here.protocolVersion === there.protocolVersion) return undefined
  const show = ({ protocol, protocolVersion }: ProviderOffer) => `${protocol} version ${protocolVersion}`
  return `the wire formats differ: ${show(here)} here, ${show(there)} on the target`
}

function noProvider(why: readonly TransportReason[]): RpmemError {
  const lines = describeReasons(why)
  return new RpmemError('ERR_NO_PROVIDER', `no fabric provider serves both ends (${lines.join('; ')})`, {
    facts: Object.fromEntries(why.map(({ provider, reason }) => [provider, reason])),
  })
}
