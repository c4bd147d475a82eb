export { formatAddress, parseAddress, type TargetAddress } from './address.js'
export { type Environment, processEnvironment, readEnvironment } from './environment.js'
export { ExternalClient } from './external-client.js'
export { checkVersion, librpmemVersion } from './librpmem-version.js'
export type { RemoveOptions } from './remote-command.js'
export type { RemoteOperation, RemotePoolEvents, RemoteWait } from './remote-operation.js'
export { RemotePool } from './remote-pool.js'
export type {
  RemotePoolCreateOptions,
  RemotePoolOptions,
  RemotePoolRemoveOptions,
  SshOptions,
  TargetOptions,
} from './remote-pool-options.js'
export type { RemotePoolToken } from './remote-pool-token.js'
export { RemotePoolReplica, SshConnector, type SshConnectorOptions } from './remote-replica.js'
export type { LaunchOptions, RemoteEnd, RemoteProcess, RemoteShell } from './remote-shell.js'
export { Pool, type PoolCreateOptions, type PoolOpenOptions, type ReplicationOptions } from './replicated-pool.js'
export { SshClient, type SshClientOptions } from './ssh-client.js'
