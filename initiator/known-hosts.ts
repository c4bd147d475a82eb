import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { RpmemError, systemCode } from '../core/index.js'
import { matchesList } from './host-pattern.js'

/** One line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly marker: 'revoked' | 'cert-authority' | undefined
  /** Patterns, or one hashed name. */
  readonly names: readonly string[]
  readonly keyType: string
  readonly key: Uint8Array
}

export type HostKeyVerdict =
  | { readonly state: 'trusted'; readonly entry: KnownHost }
  | { readonly state: 'unknown'; readonly authority: KnownHost | undefined }
  /** Another key of the same type is known under this name. */
  | { readonly state: 'changed'; readonly entry: KnownHost }
  | { readonly state: 'revoked'; readonly entry: KnownHost }

/** The entries of several files, in order; a file that does not exist has none, damaged lines are passed over as ssh does. */
export function readKnownHosts(files: readonly string[]): KnownHost[] {
  return files.flatMap(file => parseKnownHosts(readText(file), file))
}

export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((line, index) => parseLine(line.trim(), file, index + 1) ?? [])
}

/** The name under which a host is looked up: `host`, or `[host]:port` off the standard port. */
export const hostKeyName = (host: string, port: number): string => {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

export function judgeHostKey(entries: readonly KnownHost[], name: string, key: Uint8Array): HostKeyVerdict {
  const ours = entries.filter(entry => namesHost(entry, name))
  const same = (entry: KnownHost) => equal(entry.key, key)
  const revoked = ours.find(entry => entry.marker === 'revoked' && same(entry))
  if (revoked) return { state: 'revoked', entry: revoked }
  const plain = ours.filter(entry => entry.marker === undefined)
  const trusted = plain.find(same)
  if (trusted) return { state: 'trusted', entry: trusted }
  const changed = plain.find(entry => entry.keyType === keyTypeOf(key))
  if (changed) return { state: 'changed', entry: changed }
  return { state: 'unknown', authority: ours.find(entry => entry.marker === 'cert-authority') }
}

/** Key types known under this name: a host is asked for one of these first, else its other key would look unknown. */
export function knownKeyTypes(entries: readonly KnownHost[], name: string): string[] {
  const plain = entries.filter(entry => entry.marker === undefined && namesHost(entry, name))
  return [...new Set(plain.map(entry => entry.keyType))]
}

/** As ssh-keygen -l prints it. */
export const fingerprint = (key: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`

/** The type inside a public key blob, or '' for bytes that are no such blob. */
export function keyTypeOf(key: Uint8Array): string {
  if (key.length < 4) return ''
  const size = new DataView(key.buffer, key.byteOffset, key.length).getUint32(0)
  return size <= 64 && size + 4 <= key.length ? Buffer.from(key.subarray(4, 4 + size)).toString('latin1') : ''
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT' || systemCode(cause) === 'ENOTDIR') return ''
    throw RpmemError.wrap('ERR_SSH_CONFIG', `the known hosts in ${file} cannot be read`, cause, { facts: { file } })
  }
}

function parseLine(text: string, file: string, line: number): KnownHost | undefined {
  if (text === '' || text.startsWith('#')) return undefined
  const words = text.split(/[ \t]+/)
  const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : undefined
  if (marker !== undefined && marker !== 'revoked' && marker !== 'cert-authority') return undefined
  const [names, keyType, encoded] = words
  if (names === undefined || keyType === undefined || encoded === undefined) return undefined
  const key = new Uint8Array(Buffer.from(encoded, 'base64'))
  if (keyTypeOf(key) !== keyType) return undefined
  return { file, line, marker, names: names.startsWith('|') ? [names] : names.split(','), keyType, key }
}

function namesHost({ names }: KnownHost, name: string): boolean {
  const first = names[0] ?? ''
  return first.startsWith('|') ? matchesHash(first, name) : matchesList(names, name)
}

/** `|1|salt|hash`: HMAC-SHA1 of the name under the salt, both in base64. */
function matchesHash(hashed: string, name: string): boolean {
  const [, version, salt, hash] = hashed.split('|')
  if (version !== '1' || salt === undefined || hash === undefined) return false
  return equal(createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest(), Buffer.from(hash, 'base64'))
}

const equal = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && timingSafeEqual(left, right)
