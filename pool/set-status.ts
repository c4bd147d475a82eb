import type { ReplicaRecord } from '../core/index.js'
import type { PoolSet } from '../poolset/index.js'
import type { PoolChange, PoolStatus, ReplicaReport } from './pool-status.js'
import { isRunning } from './process-identity.js'
import { localName, remoteName } from './replica-survey.js'
import { type NotedReplica, readNotes, type SetNotes } from './set-notes.js'

/** How a pool stands as far as it is known on this machine, whether a process has it open or not. */
export interface SetStatus {
  readonly file: string
  /** What the copy here has been through; undefined if its replicas were never kept. */
  readonly record: ReplicaRecord | undefined
  /** `open`: a process has it open. `gone`: the last one ended without closing it. `unseen`: nobody can tell from here. */
  readonly use: 'open' | 'closed' | 'gone' | 'unseen' | 'unknown'
  /** As the last process noted it. */
  readonly pool: PoolStatus | undefined
  /** In the order of the pool set; without the master if nothing is noted. */
  readonly replicas: readonly ReplicaStanding[]
  /** Every replica is known to hold all that was persisted. */
  readonly good: boolean
}

export interface ReplicaStanding {
  readonly name: string
  /** Now; undefined unless a process has the pool open. Never `synced` for a replica whose map says that it misses something. */
  readonly state: ReplicaReport['state'] | undefined
  /** It is known to miss nothing: its process says so, or said so when it closed the pool, and its map agrees. */
  readonly inStep: boolean
  /** In words, when it is not in step. */
  readonly why: string | undefined
  readonly report: ReplicaReport | undefined
  /** What is durable of a remote replica. */
  readonly noted: NotedReplica | undefined
}

/** Asks nobody and locks nothing. ERR_RECORD, errors of the plan. */
export async function readSetStatus(set: PoolSet, file: string): Promise<SetStatus> {
  const notes = await readNotes(set, file)
  const use = useOf(notes)
  const replicas = namesOf(set, notes).map(name => standing(name, use, notes))
  return { file, record: notes.record, use, pool: notes.status, replicas, good: replicas.every(({ inStep }) => inStep) }
}

/** The changes that a reader who has seen `sequence` has not; `lost`: some are forgotten already. */
export function changesAfter(status: PoolStatus, sequence: number): { changes: PoolChange[]; lost: number } {
  const changes = status.changes.filter(change => change.sequence > sequence)
  const first = changes[0]?.sequence ?? sequence + 1
  return { changes, lost: Math.max(0, first - sequence - 1) }
}

function useOf({ status, record }: SetNotes): SetStatus['use'] {
  if (!status) return record?.closed ? 'closed' : 'unknown'
  if (status.state === 'closed') return record?.closed === false ? 'gone' : 'closed'
  const running = isRunning(status.process)
  return running === undefined ? 'unseen' : running ? 'open' : 'gone'
}

/** The master only if something is noted of it: that it is there is not looked for. */
function namesOf({ replicas }: PoolSet, { status }: SetNotes): string[] {
  const names = replicas.map((spec, index) => (spec.kind === 'local' ? localName(index) : remoteName(spec)))
  return status ? names : names.slice(1)
}

function standing(name: string, use: SetStatus['use'], notes: SetNotes): ReplicaStanding {
  const report = notes.status?.replicas.find(replica => replica.name === name)
  const noted = notes.replicas.find(replica => replica.name === name)
  const why = noted ? whyRemote(use, report, noted, notes.record) : whyLocal(use, report)
  const told = use === 'open' ? report?.state : undefined
  const state = told === 'synced' && why !== undefined ? 'lost' : told
  return { name, state, inStep: why === undefined, why, report, noted }
}

function whyLocal(use: SetStatus['use'], report: ReplicaReport | undefined): string | undefined {
  if (!report) return 'nothing is noted of it: only a verification can tell'
  if (report.state === 'lost') return 'it has failed'
  return use === 'gone' && report.name !== 'master' ? 'the last program ended without closing the pool' : undefined
}

/** The map is durable before a persist that it misses succeeds, so it is believed before anything that sounds better. */
function whyRemote(
  use: SetStatus['use'],
  report: ReplicaReport | undefined,
  { missingBytes, isWhole, generation }: NotedReplica,
  record: ReplicaRecord | undefined,
): string | undefined {
  if (missingBytes === undefined) return 'nothing is noted of what it misses'
  if (use === 'open' && report && report.state !== 'synced') return `it is ${report.state}`
  if (missingBytes > 0) return 'it misses what was persisted without it'
  if (use === 'gone') return 'the last program ended without closing the pool'
  if (use === 'unseen') return 'the process that has the pool open cannot be seen from here'
  if (use === 'unknown') return 'the last program did not close the pool, or has it open without saying so'
  if (!isWhole || generation !== record?.lineage.current.id) return 'it has yet to be compared as a whole'
  return undefined
}
