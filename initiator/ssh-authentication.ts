import type {
  AnyAuthMethod,
  AuthenticationType,
  AuthHandlerMiddleware,
  IdentityCallback,
  ParsedKey,
  SignCallback,
  SigningRequestOptions,
} from 'ssh2'
import ssh2 from 'ssh2'
import { printable, RpmemError } from '../core/index.js'
import { describeHost, type HostConfig } from './ssh-config.js'
import { tamed } from './ssh-failure.js'
import type { Identities, Identity } from './ssh-identity.js'

type AgentIdentity = Extract<Identity, { source: 'agent' }>

/** The agent with some of its keys, in our order; signing stays with the agent. */
class ChosenKeys extends ssh2.BaseAgent<ParsedKey> {
  readonly #identities: readonly AgentIdentity[]

  constructor(identities: readonly AgentIdentity[]) {
    super()
    this.#identities = identities
  }

  override getIdentities(callback: IdentityCallback<ParsedKey>): void {
    callback(
      undefined,
      this.#identities.map(({ key }) => key),
    )
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const [{ agent } = {}] = this.#identities
    if (typeof options === 'function') agent?.sign(key, data, options)
    else agent?.sign(key, data, options, callback)
  }
}

/** Offers keys one after another and remembers what happened, for the error if none is taken. */
export class Authentication {
  readonly #host: HostConfig
  readonly #identities: Promise<Identities>
  #methods: AnyAuthMethod[] | undefined
  #known: Identities | undefined
  #accepted: readonly string[] = []

  constructor(host: HostConfig, identities: Promise<Identities>) {
    this.#host = host
    this.#identities = identities
  }

  /** For ssh2's connect; asked again after each refusal. */
  readonly handler: AuthHandlerMiddleware = (left, _partial, next) => {
    if (left) this.#accepted = left.map(printable)
    this.#next().then(
      method => next(method as AnyAuthMethod | AuthenticationType),
      () => next(false as never),
    )
  }

  failure(cause: unknown): RpmemError {
    const tried = this.#known?.usable.map(({ label }) => label) ?? []
    const passedOver = this.#known?.passedOver ?? []
    if (tried.length === 0 && this.#known?.failure) return this.#known.failure
    const target = describeHost(this.#host)
    const what = tried.length > 0 ? `refused ${tried.join(', ')}` : 'could be offered no key'
    return RpmemError.wrap('ERR_SSH_AUTHENTICATION', `${target} ${what}`, tamed(cause), {
      facts: { target, tried, passedOver, accepts: this.#accepted },
    })
  }

  async #next(): Promise<AnyAuthMethod | false> {
    if (this.#methods === undefined) {
      this.#known = await this.#identities
      this.#methods = methods(this.#host.user, this.#known.usable)
    }
    return this.#methods.shift() ?? false
  }
}

function methods(username: string, identities: readonly Identity[]): AnyAuthMethod[] {
  const ofAgent = identities.filter(identity => identity.source === 'agent')
  const inFiles = identities.filter(identity => identity.source === 'file')
  const agent: AnyAuthMethod[] = ofAgent.length > 0 ? [{ type: 'agent', username, agent: new ChosenKeys(ofAgent) }] : []
  return [...agent, ...inFiles.map(({ key }): AnyAuthMethod => ({ type: 'publickey', username, key }))]
}
