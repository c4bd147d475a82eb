import { RpmemError } from '../core/index.js'
import { nativeFabric, type ProviderName, providerNames } from '../fabric-native/index.js'
import type { RemotePoolOptions } from '../initiator/index.js'
import type { Io } from './io.js'

/** How the commands reach targets, as given on the command line. */
export interface TargetFlags {
  readonly identity?: readonly string[]
  readonly knownHosts?: readonly string[]
  readonly sshConfig?: string
  readonly transport?: string
}

export function remotePoolOptions(flags: TargetFlags, io: Io): RemotePoolOptions {
  const { transport } = flags
  return {
    fabric: nativeFabric,
    ssh: sshOptions(flags),
    signal: io.signal,
    ...(transport !== undefined && { transport: { require: providerNamed(transport) } }),
  }
}

export const sshOptions = ({ identity, knownHosts, sshConfig }: TargetFlags) => ({
  ...(identity && { identityFiles: identity }),
  ...(knownHosts && { knownHostsFiles: knownHosts }),
  ...(sshConfig !== undefined && { configFile: sshConfig }),
})

function providerNamed(name: string): ProviderName {
  const found = providerNames.find(provider => provider === name)
  if (found) return found
  throw new RpmemError('ERR_USAGE', `there is no transport ${name}`, {
    hint: `Use one of ${providerNames.join(', ')}.`,
  })
}
