import { runHosts } from './hosts.js'
import { runPowerCuts } from './power-cuts.js'
import { runInGuest, type Suite } from './suite.js'

/** What scripts/lab test runs. */
export const suites: readonly Suite[] = [
  {
    name: 'verbs',
    claim:
      'Over RDMA verbs (Soft-RoCE) the fabric and pools keep what they promise, in both dialects and with both methods',
    run: () =>
      runInGuest('verbs', {
        files: ['verbs-absence', 'locked-memory', 'verbs-fabric', 'verbs-memory', 'verbs-pool'],
        limitMs: 600_000,
        totalMs: 1_200_000,
      }),
  },
  {
    name: 'storage',
    claim: 'On DAX, a disk and tmpfs a pool knows what makes it durable, and does that and no more',
    run: () => runInGuest('storage', { files: ['storage'], limitMs: 240_000, totalMs: 300_000 }),
  },
  {
    name: 'device-dax',
    claim: 'Pools and targets keep their replicas on device DAX, of the size that the device has, in both dialects',
    run: () => runInGuest('device-dax', { files: ['device-dax'], limitMs: 600_000, totalMs: 700_000 }),
  },
  {
    name: 'hosts',
    claim: 'Initiator and target are two machines on one wire',
    run: runHosts,
  },
  {
    name: 'power-cuts',
    claim: 'Nothing that was acknowledged is missing after a power cut, here, on the target or after a resync',
    run: () => runPowerCuts({ totalMs: 1_200_000 }),
  },
]
