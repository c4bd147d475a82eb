import { describe } from '../core/index.js'
import type { Fabric, ProviderName, ProviderReport } from '../fabric-native/index.js'
import type { SshConnection } from './ssh-connection.js'

const pmdkProviders: readonly ProviderName[] = ['verbs', 'sockets']
const allProviders: readonly ProviderName[] = ['verbs', 'tcp', 'sockets']

/**
 * What this node can offer towards the initiator; never rejects. Whether sockets may be used is the initiator's decision
 * (RPMEM_ENABLE_SOCKETS), so it is always looked for.
 */
export async function lookForProviders(
  negotiate: boolean,
  fabric: Fabric,
  connection: SshConnection | undefined,
): Promise<readonly ProviderReport[]> {
  const providers = negotiate ? allProviders : pmdkProviders
  const without = (reason: string) => providers.map(provider => ({ provider, reason }))
  if (!connection) return without('SSH_CONNECTION does not tell the address of this target')
  try {
    return await fabric.probe(providers, { source: connection.serverAddress })
  } catch (error) {
    return without(describe(error).join(': '))
  }
}
