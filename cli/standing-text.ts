import { formatBytes, singleLine } from '../core/index.js'
import type { ReplicaStanding, SetStatus } from '../pool/index.js'

/** What a replica is called now, in one word or a few. */
export function stateText({ state, inStep, report }: ReplicaStanding): string {
  if (state !== undefined) return singleLine(state)
  if (!inStep) return 'not in step'
  return report?.kind === 'local' ? 'closed' : 'in step'
}

/** For programs: one flat object for each replica. */
export function standingJson({ name, state, inStep, why, report, noted }: ReplicaStanding) {
  return {
    ...report,
    name,
    state,
    inStep,
    why,
    missingBytes: noted?.missingBytes ?? report?.missingBytes,
    isWhole: noted?.isWhole,
    generation: noted?.generation,
  }
}

/** `orders.set: open in process 77 of node1 since …` */
export function useText({ use, pool, record }: SetStatus): string {
  if (!pool) {
    if (!record) return 'nothing is noted: it was never opened with remote replicas'
    return record.closed ? 'closed' : 'open now, or its last program crashed'
  }
  const { process, openedAt, notedAt } = pool
  const who = `process ${process.pid} of ${singleLine(process.host)}`
  if (use === 'open') return `${singleLine(pool.state)} in ${who} since ${singleLine(openedAt)}`
  if (use === 'closed') return `closed by ${who} at ${singleLine(notedAt)}`
  if (use === 'gone') return `not closed: ${who} ended without that, after ${singleLine(notedAt)}`
  return `${singleLine(pool.state)} in ${who}, which cannot be seen from here, at ${singleLine(notedAt)}`
}

/** `copying 1.2 GiB of 3 GiB, 310 MiB/s, 6 s left` */
export function resyncText(replica: ReplicaStanding): string | undefined {
  const resync = replica.report?.resync
  if (!resync) return undefined
  const { phase, doneBytes, leftBytes, bytesPerSecond, leftMs } = resync
  const left = leftMs === undefined ? '' : `, ${Math.ceil(leftMs / 1000)} s left`
  const whole = formatBytes(doneBytes + leftBytes)
  return `${singleLine(phase)} ${formatBytes(doneBytes)} of ${whole}, ${formatBytes(bytesPerSecond)}/s${left}`
}
