import { formatBytes, type Generation, type ReplicaRecord, singleLine } from '../core/index.js'
import { type NotedReplica, type ReplicaStanding, readSetStatus, type SetStatus } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'
import { methodText, transportText } from './replica-text.js'
import { resyncText, standingJson, stateText, useText } from './standing-text.js'

/** `rpmem status SET`: what is known here, without asking the targets. True if every replica is known to miss nothing. */
export async function printStatus(file: string, json: boolean, io: Io): Promise<boolean> {
  const status = await readSetStatus(await loadPoolSet(file), file)
  io.out(json ? `${JSON.stringify(statusJson(status))}\n` : statusText(status, io))
  return status.good
}

function statusJson({ file, use, good, record, pool, replicas }: SetStatus): object {
  const { state, size, process, openedAt, notedAt } = pool ?? {}
  return {
    file,
    use,
    good,
    state: use === 'open' ? state : undefined,
    size,
    process,
    openedAt,
    notedAt,
    record,
    replicas: replicas.map(standingJson),
  }
}

function statusText(status: SetStatus, io: Io): string {
  const paint = paintFor(io)
  return [
    `${paint.title(status.file)}: ${useText(status)}`,
    `  this copy: ${recordText(status.record)}`,
    ...status.replicas.flatMap(replica => replicaLines(replica, status, io)),
    '',
  ].join('\n')
}

function recordText(record: ReplicaRecord | undefined): string {
  if (!record) return 'no record: it was never opened with remote replicas'
  return `${generationText(record.lineage.current)}; ${record.closed ? 'closed well' : 'not closed'}`
}

const generationText = ({ number, since, writer, why }: Generation): string =>
  `generation ${number} (${why}) since ${singleLine(since)} by ${singleLine(writer)}`

function replicaLines(replica: ReplicaStanding, { record }: SetStatus, io: Io): string[] {
  const paint = paintFor(io)
  const { name, inStep, why, report, noted } = replica
  const state = (inStep ? paint.good : paint.bad)(stateText(replica))
  const method = report ? `; ${methodText(report.method)}` : ''
  const transport = report?.transport && transportText(report.transport)
  const resync = resyncText(replica)
  return [
    `${paint.title(singleLine(name))}: ${state}${method}`,
    ...(why === undefined || why === `it is ${report?.state}` ? [] : [`  ${why}`]),
    ...(report?.failure === undefined ? [] : [`  because ${singleLine(report.failure)}`]),
    ...(resync === undefined ? [] : [`  ${resync}`]),
    ...(noted?.missingBytes === undefined ? [] : [`  ${notedText(noted, record)}`]),
    ...(report?.verifiedAt === undefined ? [] : [`  last found equal throughout at ${singleLine(report.verifiedAt)}`]),
    ...(report && report.retries > 0 ? [`  ${attempts(report.retries)} to connect again`] : []),
    ...(transport ? [`  ${transport.path}`, ...transport.why.map(line => paint.faint(`    ${singleLine(line)}`))] : []),
  ]
}

const attempts = (count: number): string => (count === 1 ? 'one attempt' : `${count} attempts`)

function notedText({ missingBytes, isWhole, generation }: NotedReplica, record: ReplicaRecord | undefined): string {
  const lineage = record && [record.lineage.current, ...record.lineage.ancestors]
  const number = lineage?.find(({ id }) => id === generation)?.number ?? 'unknown'
  const missing = missingBytes ? `misses ${formatBytes(missingBytes)}` : 'misses nothing'
  return `${missing}, last in step in generation ${number}${isWhole ? '' : '; to be compared as a whole'}`
}
