import { channel } from 'node:diagnostics_channel'

/**
 * What every pool of the process tells, for observers that do not have the pool objects. Each message holds `pool`, the Pool,
 * and what the event of the same occasion has. Source: node:diagnostics_channel.
 */
export const poolChannels = {
  /** A pool was created, opened or attached. */
  opened: channel('rpmem:pool:opened'),
  closed: channel('rpmem:pool:closed'),
  /** As 'replica-state'. */
  replicaState: channel('rpmem:replica:state'),
  /** As 'replica-lost'. */
  replicaLost: channel('rpmem:replica:lost'),
  /** As 'resync-progress'. */
  resyncProgress: channel('rpmem:resync:progress'),
  /** The Verification of a replica that was compared as a whole or in part. */
  replicaVerified: channel('rpmem:replica:verified'),
} as const
