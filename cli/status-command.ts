import { formatBytes, type Generation, type ReplicaRecord } from '../core/index.js'
import { type NotedReplica, readNotes } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'
import type { Io } from './io.js'

/** `rpmem status SET`: what is known here of the copies, without asking the targets. True if nothing is known to be missing. */
export async function printStatus(file: string, json: boolean, io: Io): Promise<boolean> {
  const { record, replicas } = await readNotes(await loadPoolSet(file), file)
  const good = replicas.every(({ missingBytes, isWhole }) => missingBytes === 0 && isWhole)
  if (json) io.out(`${JSON.stringify({ file, record, replicas, good })}\n`)
  else io.out(`${masterText(record)}${replicas.map(replica => replicaText(replica, record)).join('')}`)
  return good
}

function masterText(record: ReplicaRecord | undefined): string {
  if (!record) return 'this copy: no record; its replicas are not kept, or it was never opened with a policy\n'
  const { current } = record.lineage
  const end = record.closed ? 'closed well' : 'open now, or its last program crashed'
  return `this copy: ${generationText(current)}; ${end}\n`
}

const generationText = ({ number, since, writer, why }: Generation): string =>
  `generation ${number} (${why}) since ${since} by ${writer}`

function replicaText(
  { name, missingBytes, isWhole, generation }: NotedReplica,
  record: ReplicaRecord | undefined,
): string {
  if (missingBytes === undefined) return `${name}: nothing noted\n`
  const lineage = record && [record.lineage.current, ...record.lineage.ancestors]
  const number = lineage?.find(({ id }) => id === generation)?.number ?? 'unknown'
  const missing = missingBytes === 0 ? 'misses nothing' : `misses ${formatBytes(missingBytes)}`
  return `${name}: ${missing}, last in step in generation ${number}${isWhole ? '' : '; to be compared as a whole'}\n`
}
