import type { KeptState } from './kept-state.js'
import { bucketBoundUs } from './latency.js'
import type { PoolStatus, ReplicaReport } from './pool-status.js'

const states: readonly (KeptState | 'open')[] = [
  'open',
  'connecting',
  'comparing',
  'syncing',
  'synced',
  'lost',
  'refused',
  'closed',
]

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  /** Lines of one replica: what follows the name, labels beside those of the replica, and the value. */
  readonly samples: (replica: ReplicaReport) => Iterable<readonly [suffix: string, labels: Labels, value: number]>
}

type Labels = Readonly<Record<string, string>>

const metrics: readonly Metric[] = [
  {
    name: 'rpmem_replica_state',
    type: 'gauge',
    help: 'The state of the replica: 1 for the one it is in.',
    samples: ({ state }) => states.map(each => ['', { state: each }, each === state ? 1 : 0]),
  },
  {
    name: 'rpmem_replica_transport',
    type: 'gauge',
    help: 'The provider that carries the data of the replica, or did last.',
    samples: ({ transport }) =>
      transport ? [['', { provider: transport.provider, method: transport.persistMethod }, 1]] : [],
  },
  {
    name: 'rpmem_replica_behind_bytes',
    type: 'gauge',
    help: 'What has to travel before the replica is in step, as far as is known.',
    samples: ({ missingBytes }) => [['', {}, missingBytes]],
  },
  {
    name: 'rpmem_replica_verified_timestamp_seconds',
    type: 'gauge',
    help: 'When the whole replica was last found equal to the master.',
    samples: ({ verifiedAt }) => (verifiedAt === undefined ? [] : [['', {}, secondsOf(verifiedAt)]]),
  },
  {
    name: 'rpmem_replica_retries_total',
    type: 'counter',
    help: 'Attempts to connect again since the pool was opened.',
    samples: ({ retries }) => [['', {}, retries]],
  },
  {
    name: 'rpmem_replica_resync_left_bytes',
    type: 'gauge',
    help: 'What the resync that is under way has left to compare or to send.',
    samples: ({ resync }) => (resync ? [['', { phase: resync.phase }, resync.leftBytes]] : []),
  },
  {
    name: 'rpmem_persist_seconds',
    type: 'histogram',
    help: 'How long persists took until the replica had answered.',
    samples: ({ latency }) => (latency ? histogram(latency.counts, latency.sumUs) : []),
  },
]

/**
 * The state of a pool as Prometheus scrapes it, text format 0.0.4. A status that another process has noted is as old as
 * `rpmem_status_timestamp_seconds` says. `pool`: the label that tells pools apart, such as the path of the pool set.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function metricsText(status: PoolStatus, pool: string): string {
  const own = { pool }
  const head = [
    ...described('rpmem_pool_up', 'gauge', 'Whether the pool is open and no replica has failed for good.'),
    line('rpmem_pool_up', own, status.state === 'open' || status.state === 'degraded' ? 1 : 0),
    ...described('rpmem_status_timestamp_seconds', 'gauge', 'When the state was noted.'),
    line('rpmem_status_timestamp_seconds', own, secondsOf(status.notedAt)),
  ]
  const rest = metrics.flatMap(({ name, type, help, samples }) => {
    const lines = status.replicas.flatMap(replica =>
      [...samples(replica)].map(([suffix, labels, value]) =>
        line(`${name}${suffix}`, { ...own, replica: replica.name, ...labels }, value),
      ),
    )
    return lines.length > 0 ? [...described(name, type, help), ...lines] : []
  })
  return `${[...head, ...rest].join('\n')}\n`
}

function* histogram(counts: readonly number[], sumUs: number): Generator<readonly [string, Labels, number]> {
  let total = 0
  for (const [bucket, count] of counts.entries()) {
    total += count
    const boundUs = bucketBoundUs(bucket)
    yield ['_bucket', { le: Number.isFinite(boundUs) ? String(boundUs / 1e6) : '+Inf' }, total]
  }
  yield ['_sum', {}, sumUs / 1e6]
  yield ['_count', {}, total]
}

const secondsOf = (time: string): number => Date.parse(time) / 1000

const described = (name: string, type: string, help: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
]

const line = (name: string, labels: Labels, value: number): string =>
  `${name}{${Object.entries(labels)
    .map(([label, text]) => `${label}="${escaped(text)}"`)
    .join(',')}} ${Number.isFinite(value) ? value : 'NaN'}`

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
