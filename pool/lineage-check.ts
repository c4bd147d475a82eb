import {
  type Generation,
  generationReasons,
  hasCode,
  type Relation,
  type ReplicaRecord,
  RpmemError,
  relate,
} from '../core/index.js'

/**
 * May a copy with the record `theirs` be written to by who has been through `ours`? It may if it is equal or behind. Throws
 * ERR_REPLICA_AHEAD, ERR_REPLICA_DIVERGED or ERR_REPLICA_STRANGER, with who wrote there last and since when.
 */
export function admit(name: string, ours: ReplicaRecord, theirs: ReplicaRecord): void {
  const relation = relate(ours.lineage, theirs.lineage)
  if (relation.kind === 'equal' || relation.kind === 'behind') return
  const { id, number, since, writer, why } = theirs.lineage.current
  const { code, told } = refusals[relation.kind]
  throw new RpmemError(code, `${name} ${told}: it was written by ${writer} since ${since} (${why})`, {
    facts: { replica: name, generation: number, id, since, writer, why, common: commonOf(relation) },
  })
}

const refusals = {
  ahead: { code: 'ERR_REPLICA_AHEAD', told: 'has gone on without this copy' },
  diverged: { code: 'ERR_REPLICA_DIVERGED', told: 'and this copy have both gone on, each without the other' },
  stranger: { code: 'ERR_REPLICA_STRANGER', told: 'is a replica of another pool' },
} as const

/** The generation of the copy that `admit` refused, or undefined for any other error. Another pool's cannot be had. */
export function refusedGeneration(error: unknown): Generation | undefined {
  if (!hasCode(error, 'ERR_REPLICA_AHEAD', 'ERR_REPLICA_DIVERGED')) return undefined
  const { id, generation, since, writer, why } = error.facts
  const reason = generationReasons.find(known => known === why)
  const sound = typeof id === 'string' && /^[0-9a-f]{32}$/.test(id) && Number.isSafeInteger(generation) && reason
  return sound
    ? { id, number: Number(generation), since: String(since), writer: String(writer), why: reason }
    : undefined
}

/** Number of the last generation that both share. */
const commonOf = (relation: Relation): number | undefined =>
  'common' in relation ? relation.common?.number : undefined
