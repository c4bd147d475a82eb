import type { PoolAttributes } from '../core/index.js'
import type { DurabilityMethod } from '../fabric-native/index.js'
import type {
  AttachRemote,
  CreateRemoteRequest,
  Keeping,
  Persisting,
  PersistOptions,
  RemoteCopies,
  RemoteCopy,
  RemoteRequest,
  Transport,
} from '../pool/index.js'
import { processEnvironment } from './environment.js'
import { CommandRotation } from './remote-command.js'
import { RemotePool } from './remote-pool.js'
import { type RemotePoolOptions, rotationOf } from './remote-pool-options.js'
import type { RemotePoolToken } from './remote-pool-token.js'

/** A remote pool in the place of a replica. */
export class RemotePoolReplica implements RemoteCopy {
  readonly kind = 'remote'
  readonly name: string
  readonly method: DurabilityMethod
  readonly pool: RemotePool

  constructor(pool: RemotePool, name: string) {
    this.pool = pool
    this.name = name
    // A PMDK peer that does not promise pmem calls msync, whatever lies beneath.
    this.method = pool.durability ?? 'msync'
  }

  get attributes(): PoolAttributes | undefined {
    return this.pool.attributes
  }

  get keeping(): Keeping | undefined {
    return this.pool.keeping
  }

  get transport(): Transport {
    return this.pool.transport
  }

  get failure(): Error | undefined {
    return this.pool.failure
  }

  /** librpmem refuses an empty range at the end of the pool, which Pool allows: it stays here. */
  start(offset: number, length: number, options: PersistOptions): Persisting {
    if (length === 0) return nothing
    return this.pool.start(offset, length, options)
  }

  flush(offset: number, length: number, options: PersistOptions): void {
    if (length > 0) this.pool.flush(offset, length, options)
  }

  drainSync(options: PersistOptions): void {
    this.pool.drainSync(options)
  }

  drain(options: PersistOptions): Promise<void> {
    return this.pool.drain(options)
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.pool.read(offset, into)
  }

  setAttributes(attributes: PoolAttributes | undefined): Promise<void> {
    return this.pool.setAttributes(attributes)
  }

  onLost(listener: (error: Error) => void): void {
    this.pool.once('lost', listener)
  }

  share(): RemotePoolToken {
    return this.pool.share()
  }

  close(options?: { readonly remove?: boolean }): Promise<void> {
    return this.pool.close(options)
  }
}

/** `connection` is what RemotePoolReplica.share gave in another thread. */
export const attachReplica: AttachRemote = (name, connection) =>
  new RemotePoolReplica(RemotePool.attach(connection as RemotePoolToken), name)

const nothing: Persisting = { finishSync() {}, async finish() {} }

export interface SshConnectorOptions extends Omit<RemotePoolOptions, 'command' | 'size' | 'signal'> {
  /** Remote command instead of RPMEM_CMD; several are used in turn, one for each REPLICA line, in the order of the pool set. */
  readonly command?: string | readonly string[]
}

/** Reaches REPLICA lines by SSH and mirrors over lanes, with the same options for each. */
export class SshConnector implements RemoteCopies {
  readonly #options: RemotePoolOptions
  readonly #commands: CommandRotation
  /** By replica: one that connects again takes no further command. */
  readonly #taken = new Map<string, string>()

  constructor({ command, ...options }: SshConnectorOptions = {}) {
    this.#options = options
    const environment = options.environment ?? processEnvironment()
    this.#commands = command === undefined ? rotationOf(environment) : new CommandRotation([command].flat())
  }

  async create(request: CreateRemoteRequest): Promise<RemotePoolReplica> {
    const { node, set, memory, attributes } = request
    const pool = await RemotePool.create(node, set, memory, { ...this.#with(request), attributes })
    return new RemotePoolReplica(pool, `${node} ${set}`)
  }

  async open(request: RemoteRequest): Promise<RemotePoolReplica> {
    const { node, set, memory } = request
    return new RemotePoolReplica(await RemotePool.open(node, set, memory, this.#with(request)), `${node} ${set}`)
  }

  async remove(node: string, set: string, options: { readonly force: boolean }): Promise<void> {
    const command = this.#commandFor(`${node} ${set}`)
    await RemotePool.remove(node, set, { ...this.#options, command, ...options })
  }

  #with({ node, set, size, signal, claim }: RemoteRequest): RemotePoolOptions {
    const command = this.#commandFor(`${node} ${set}`)
    return { ...this.#options, size, claim, command, ...(signal && { signal }) }
  }

  #commandFor(replica: string): string {
    const command = this.#taken.get(replica) ?? this.#commands.take()
    this.#taken.set(replica, command)
    return command
  }
}
