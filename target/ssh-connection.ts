import { isIP } from 'node:net'

/** The two ends of the SSH connection as sshd tells them to the programs that it runs. */
export interface SshConnection {
  readonly clientAddress: string
  /** The address of this node that the initiator could reach: the lanes listen on it, too. */
  readonly serverAddress: string
}

/**
 * Reads SSH_CONNECTION: client address, client port, server address, server port. Undefined if it is missing or not of
 * that form, as when rpmemd is started by hand. Link-local addresses may carry a zone (`fe80::1%eth0`).
 */
export function parseSshConnection(text: string | undefined): SshConnection | undefined {
  const fields = (text ?? '').trim().split(/\s+/)
  const [clientAddress, , serverAddress] = fields
  if (fields.length !== 4 || clientAddress === undefined || serverAddress === undefined) return undefined
  if (isIP(clientAddress) === 0 || isIP(serverAddress) === 0) return undefined
  return { clientAddress, serverAddress }
}
