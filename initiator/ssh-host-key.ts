import { RpmemError } from '../core/index.js'
import {
  fingerprint,
  hostKeyName,
  judgeHostKey,
  type KnownHost,
  keyTypeOf,
  knownKeyTypes,
  readKnownHosts,
} from './known-hosts.js'
import { describeHost, type HostConfig } from './ssh-config.js'

/** Signature algorithms that each key type of known_hosts can answer with. */
const algorithmsOf: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

/** Holds the key that a host presents against known_hosts. */
export class HostKeyCheck {
  readonly #host: HostConfig
  readonly #name: string
  readonly #entries: readonly KnownHost[]
  /** Set once a key was refused. */
  failure: RpmemError | undefined

  constructor(host: HostConfig) {
    this.#host = host
    this.#name = host.hostKeyAlias ?? hostKeyName(host.host, host.port)
    this.#entries = readKnownHosts(host.knownHostsFiles)
  }

  /** All algorithms in the order to ask for: those of known keys first, else a host's other key would look unknown. */
  algorithms(): string[] {
    const types = [...knownKeyTypes(this.#entries, this.#name), ...Object.keys(algorithmsOf)]
    return [...new Set(types.flatMap(type => algorithmsOf[type] ?? []))]
  }

  accept(key: Uint8Array): boolean {
    this.failure = this.#judge(key)
    return this.failure === undefined
  }

  #judge(key: Uint8Array): RpmemError | undefined {
    const verdict = judgeHostKey(this.#entries, this.#name, key)
    switch (verdict.state) {
      case 'trusted':
        return undefined
      case 'changed':
        return this.#changed(key, verdict.entry, 'is not the one')
      case 'revoked':
        return this.#changed(key, verdict.entry, 'was revoked by the line')
      case 'unknown':
        return this.#unknown(key, verdict.authority)
    }
  }

  #changed(key: Uint8Array, { file, line }: KnownHost, relation: string): RpmemError {
    const message = `the ${keyTypeOf(key)} host key of ${describeHost(this.#host)} ${relation} in ${file}:${line}`
    return new RpmemError('ERR_HOST_KEY_CHANGED', `${message}; it presents ${fingerprint(key)}`, {
      facts: { host: this.#name, fingerprint: fingerprint(key), keyType: keyTypeOf(key), file, line },
    })
  }

  #unknown(key: Uint8Array, authority: KnownHost | undefined): RpmemError {
    const files = this.#host.knownHostsFiles
    const shown = fingerprint(key)
    const signed =
      authority && `${authority.file}:${authority.line} names an authority, but host certificates cannot be checked`
    return new RpmemError(
      'ERR_HOST_KEY_UNKNOWN',
      `${this.#name} is not in ${files.join(', ')}; it presents the ${keyTypeOf(key)} key ${shown}`,
      {
        facts: { host: this.#name, fingerprint: shown, keyType: keyTypeOf(key), files, authority: signed },
        hint: `Compare ${shown} with the host's own (ssh-keygen -lf), then add the key: ${this.#remedy()}`,
      },
    )
  }

  #remedy(): string {
    const { host, port, knownHostsFiles } = this.#host
    return `ssh-keyscan${port === 22 ? '' : ` -p ${port}`} ${host} >> ${knownHostsFiles[0] ?? '~/.ssh/known_hosts'}`
  }
}
