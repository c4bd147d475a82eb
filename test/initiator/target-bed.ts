import { PassThrough } from 'node:stream'
import type { Test } from 'tap'
import { incompatSingleHeader, MiB, type PoolAttributes, zeroAttributes } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { Fabric, ProviderReport } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import type { Send } from '../../target/dialogue.js'
import { PmdkDialogue } from '../../target/pmdk-dialogue.js'
import { RpmemDialogue } from '../../target/rpmem-dialogue.js'
import { Session } from '../../target/session.js'
import type { TargetNode } from '../../target/target-node.js'
import { type Bed, bed } from '../target/session-bed.js'
import { type FarEnd, ScriptedShell } from './scripted-shell.js'

/** A target in this process: the real session of the daemon behind a scripted shell, lanes through memory. */
export interface TargetBed extends Bed {
  readonly memory: BufferMemory
  readonly shell: ScriptedShell
  readonly options: RemotePoolCreateOptions & { readonly fabric: Fabric }
  create(set?: string, options?: Partial<RemotePoolCreateOptions>): Promise<RemotePool>
  open(set?: string, options?: Partial<RemotePoolCreateOptions>): Promise<RemotePool>
  /** SIGSTOP: the daemon neither hears nor speaks, and its lanes stand still. */
  stop(): void
  /** SIGKILL. */
  kill(): void
}

export const poolSize = 8 * MiB

export const attributes: PoolAttributes = {
  ...zeroAttributes(),
  signature: Buffer.from('TESTPOOL'),
  major: 3,
  poolsetUuid: Buffer.alloc(16, 1),
  uuid: Buffer.alloc(16, 2),
  nextUuid: Buffer.alloc(16, 3),
  prevUuid: Buffer.alloc(16, 4),
  // Left zero, the target would put its own architecture there.
  userFlags: Buffer.alloc(16, 5),
}

export const singleHeader: PoolAttributes = { ...attributes, incompat: incompatSingleHeader }

/** `change` makes another fabric of that of both ends; `changes` are made to the target's node. */
export async function targetBed(
  t: Test,
  dialect: 'rpmem' | 'pmdk' = 'rpmem',
  change: (fabric: Fabric) => Fabric = fabric => fabric,
  changes: (node: TargetNode) => Partial<TargetNode> = () => ({}),
): Promise<TargetBed> {
  const target = bed(t)
  const both = change(target.fabric)
  const offers = await both.probe(['tcp'], {})
  /** Of the service, while there is one. */
  let port = 0
  const listening: Fabric = {
    probe: () => both.probe(['tcp'], {}),
    connect: options => both.connect(options),
    async listen(options) {
      const service = await both.listen(options)
      port = service.port
      const close = service.close.bind(service)
      service.close = () => {
        port = 0
        return close()
      }
      return service
    },
  }
  const node = {
    ...target.node,
    fabric: listening,
    offers: Promise.resolve(dialect === 'pmdk' ? renamed(offers) : offers),
    ...changes(target.node),
  }
  const shell = new ScriptedShell(far => serve(far))
  let far: FarEnd | undefined
  let silent = false
  const serve = (end: FarEnd) => {
    far = end
    const input = new PassThrough()
    const output = new PassThrough()
    output.on('data', (chunk: Buffer) => silent || end.output.write(chunk))
    end.input.on('data', (chunk: Buffer) => silent || input.write(chunk))
    end.input.on('end', () => silent || input.end())
    const dialogue = (send: Send) =>
      dialect === 'pmdk' ? new PmdkDialogue(node, send) : new RpmemDialogue(node, send, 'rpmem test')
    const session = new Session({ input, output, node, dialogue })
    void end.killed.then(() => session.stop())
    void session.run().then(exitCode => silent || end.exit({ exitCode }))
  }
  const memory = new BufferMemory(poolSize)
  const fabric = dialect === 'pmdk' ? underAnotherName(both) : both
  const options = { attributes, shell, fabric, environment: readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' }), lanes: 2 }
  const closing = (pool: RemotePool) => {
    t.teardown(() => pool.close().catch(() => {}))
    return pool
  }
  return {
    ...target,
    memory,
    shell,
    options,
    create: async (set = 'single.set', more = {}) =>
      closing(await RemotePool.create('me@node2', set, memory, { ...options, ...more })),
    open: async (set = 'single.set', more = {}) =>
      closing(await RemotePool.open('me@node2', set, memory, { ...options, ...more })),
    stop() {
      silent = true
      if (port !== 0) target.network.stop(port)
    },
    kill() {
      silent = true
      target.network.cut(port)
      far?.exit({ signal: 'SIGKILL' })
    },
  }
}

/** The memory fabric offers tcp, which PMDK does not know; what travels is the same. */
const renamed = (reports: readonly ProviderReport[]): ProviderReport[] =>
  reports.flatMap(({ offer }) => (offer ? { provider: 'sockets', offer: { ...offer, provider: 'sockets' } } : []))

function underAnotherName(fabric: Fabric): Fabric {
  return {
    probe: async () => renamed(await fabric.probe(['tcp'], {})),
    listen: options => fabric.listen(options),
    connect: options => fabric.connect(options),
  }
}
