import { assert, descend, type Lineage, type Random, RpmemError, relate } from '../core/index.js'
import { newLineage } from './pool-lineage.js'
import type { SurveyedLocal, SurveyedRemote } from './replica-survey.js'

export type Surveyed = SurveyedLocal | SurveyedRemote

/** The replica that is believed. `from`: somebody has decided, by name. ERR_RECORD: none is good. ERR_REPLICA_DIVERGED. */
export function chooseSource(all: readonly Surveyed[], from?: string): Surveyed {
  const good = all.filter(({ condition }) => condition === 'good')
  const [first] = from === undefined ? good : good.filter(({ name }) => name === from)
  if (!first) throw noSource(all, from)
  return from !== undefined || first.index === 0 ? first : withoutMaster(good)
}

/** The master's own if it is the source; a master that is made of another goes on from there under a new generation. */
export function lineageAfter(source: Surveyed, all: readonly Surveyed[], random: Random): Lineage {
  if (source.index === 0) return source.record?.lineage ?? newLineage(random, 'created')
  const before = source.record ?? leader(all.filter(({ condition }) => condition === 'good'))?.record
  const fresh = newLineage(random, 'restored')
  return before ? descend(before.lineage, fresh.current) : fresh
}

/**
 * A local replica got all that the master persisted, which no remote one is known to have, unless a copy was promoted and went on
 * without them. Of remote ones that which has been through all that the others have.
 */
function withoutMaster(good: readonly Surveyed[]): Surveyed {
  const local = good.find(({ kind }) => kind === 'local')
  if (local && !good.some(wasPromoted)) return local
  const recorded = good.filter(({ record }) => record !== undefined)
  const found = leader(good)
  if (found && !local) return found
  const [first] = good
  assert(first, 'one is good')
  if (recorded.length === 0) return first
  throw diverged(good)
}

const leader = (good: readonly Surveyed[]): Surveyed | undefined => {
  const recorded = good.filter(({ record }) => record !== undefined)
  return recorded.find(ours => recorded.every(theirs => hasSeen(ours, theirs)))
}

function hasSeen({ record: ours }: Surveyed, { record: theirs }: Surveyed): boolean {
  assert(ours && theirs, 'they have records')
  return ['equal', 'behind'].includes(relate(ours.lineage, theirs.lineage).kind)
}

const wasPromoted = ({ record }: Surveyed): boolean =>
  record !== undefined && [record.lineage.current, ...record.lineage.ancestors].some(({ why }) => why === 'promoted')

function diverged(good: readonly Surveyed[]): RpmemError {
  const told = good.map(({ name, record }) => {
    if (!record) return `${name}: it has no record`
    const { number, writer, since, why } = record.lineage.current
    return `${name}: generation ${number} (${why}) by ${writer} since ${since}`
  })
  return new RpmemError('ERR_REPLICA_DIVERGED', 'the replicas may each have gone on without the others', {
    facts: { replicas: told },
    hint: 'Decide which of them is to be believed: --from NAME.',
  })
}

function noSource(all: readonly Surveyed[], from: string | undefined): RpmemError {
  const which = from === undefined ? 'no replica is good' : `'${from}' is no replica that is good`
  return new RpmemError('ERR_RECORD', `${which}, so there is nothing to restore from`, {
    cause: all.find(({ error }) => error !== undefined)?.error,
    facts: { replicas: all.map(({ name, condition }) => `${name}: ${condition}`) },
    hint: 'Every replica was looked at; the first failure is the cause.',
  })
}
