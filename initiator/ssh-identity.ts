import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { BaseAgent, ParsedKey, PublicKeyEntry } from 'ssh2'
import ssh2 from 'ssh2'
import { RpmemError, systemCode } from '../core/index.js'
import type { HostConfig } from './ssh-config.js'

/** A key to authenticate with, and where it came from: 'agent: comment' or a file name. */
export type Identity =
  | { readonly source: 'agent'; readonly label: string; readonly agent: BaseAgent; readonly key: ParsedKey }
  | { readonly source: 'file'; readonly label: string; readonly key: ParsedKey }

export interface Identities {
  readonly usable: readonly Identity[]
  /** 'file: reason' for each source that gave no key. */
  readonly passedOver: readonly string[]
  /** The first identity file that was asked for by name and cannot be used. */
  readonly failure: RpmemError | undefined
}

export interface IdentitySources {
  readonly agentSocket?: string | undefined
  readonly home?: string | undefined
}

const defaultFiles = ['id_ed25519', 'id_ecdsa', 'id_rsa']

/** The keys to offer, in ssh's order: keys of the agent that the configuration names, its other keys, identity files. */
export async function gatherIdentities(host: HostConfig, sources: IdentitySources): Promise<Identities> {
  const named = host.identityFiles.length > 0
  const home = sources.home ?? homedir()
  const files = named ? host.identityFiles : defaultFiles.map(name => join(home, '.ssh', name))
  const socket = host.identityAgent ?? sources.agentSocket
  const [agent, ...read] = await Promise.all([readAgent(socket), ...files.map(readIdentity)])
  const inFiles = read.flatMap(({ publicKey }) => publicKey ?? [])
  const wanted = (key: ParsedKey) => inFiles.some(known => known.equals(key.getPublicSSH()))
  const first = agent.usable.filter(({ key }) => wanted(key))
  const others = host.identitiesOnly ? [] : agent.usable.filter(({ key }) => !wanted(key))
  const fromFiles = read.flatMap(({ identity }) => (identity && !first.some(same(identity)) ? identity : []))
  const missing = read.filter(({ reason, absent }) => reason !== undefined && (named || !absent))
  const broken = missing.find(({ publicKey }) => !agent.usable.some(({ key }) => publicKey?.equals(key.getPublicSSH())))
  return {
    usable: [...first, ...others, ...fromFiles],
    passedOver: [...agent.passedOver, ...missing.map(({ file, reason }) => `${file}: ${reason}`)],
    failure: named && broken ? identityError(broken) : undefined,
  }
}

const same = (left: Identity) => (right: Identity) => left.key.getPublicSSH().equals(right.key.getPublicSSH())

interface IdentityFile {
  readonly file: string
  readonly identity?: Identity
  /** Known from the file or from the .pub beside it, even where the private key cannot be used. */
  readonly publicKey?: Buffer | undefined
  readonly reason?: string
  readonly absent?: boolean
  readonly cause?: unknown
}

async function readIdentity(file: string): Promise<IdentityFile> {
  try {
    const text = await readFile(file)
    const key = parseOne(text)
    if (key instanceof Error)
      return { file, reason: reasonOf(text), cause: key, publicKey: await publicKeyBeside(file) }
    if (!key.isPrivateKey()) return { file, reason: 'it holds only a public key', publicKey: key.getPublicSSH() }
    return { file, identity: { source: 'file', label: file, key }, publicKey: key.getPublicSSH() }
  } catch (cause) {
    const absent = systemCode(cause) === 'ENOENT'
    const reason = absent ? 'there is no such file' : 'it cannot be read'
    return { file, reason, absent, cause, publicKey: await publicKeyBeside(file) }
  }
}

async function publicKeyBeside(file: string): Promise<Buffer | undefined> {
  try {
    const key = parseOne(await readFile(`${file}.pub`))
    return key instanceof Error ? undefined : key.getPublicSSH()
  } catch {
    return undefined
  }
}

function parseOne(text: Buffer): ParsedKey | Error {
  const parsed = ssh2.utils.parseKey(text)
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  return key ?? new Error('no key inside')
}

function reasonOf(text: Buffer): string {
  return isEncrypted(text.toString('latin1')) ? 'it is encrypted; load it into an agent' : 'it is not a private key'
}

/** PEM says so in words; OpenSSH's own form names the cipher right after its magic. */
function isEncrypted(text: string): boolean {
  if (/^(Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(text)) return true
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*)-----END/.exec(text)?.[1]
  if (body === undefined) return false
  const magic = Buffer.from('openssh-key-v1\0\0\0\0\x04none', 'latin1')
  return !Buffer.from(body, 'base64').subarray(0, magic.length).equals(magic)
}

function identityError({ file, reason, cause }: IdentityFile): RpmemError {
  return RpmemError.wrap('ERR_SSH_IDENTITY', `the identity file ${file} cannot be used: ${reason}`, cause, {
    facts: { file, reason },
  })
}

interface AgentKeys {
  readonly usable: readonly Identity[]
  readonly passedOver: readonly string[]
}

async function readAgent(socket: string | undefined): Promise<AgentKeys> {
  if (socket === undefined || socket === 'none') return { usable: [], passedOver: ['agent: none is configured'] }
  const agent = ssh2.createAgent(socket)
  return new Promise(resolve => {
    agent.getIdentities((error, keys) => {
      if (error || keys === undefined)
        return resolve({ usable: [], passedOver: [`agent ${socket}: it does not answer`] })
      const usable = keys.flatMap(key => agentIdentity(agent, key) ?? [])
      resolve({ usable, passedOver: usable.length === 0 ? [`agent ${socket}: it holds no keys`] : [] })
    })
  })
}

function agentIdentity(agent: BaseAgent, known: string | Buffer | ParsedKey | PublicKeyEntry): Identity | undefined {
  const key = ssh2.utils.parseKey(blobOf(known))
  if (key instanceof Error) return undefined
  return { source: 'agent', label: `agent: ${key.comment || key.type}`, agent, key }
}

function blobOf(known: string | Buffer | ParsedKey | PublicKeyEntry): string | Buffer | ParsedKey {
  if (typeof known === 'string' || !('pubKey' in known)) return known
  const { pubKey } = known
  return typeof pubKey === 'string' || !('pubKey' in pubKey) ? pubKey : pubKey.pubKey
}
