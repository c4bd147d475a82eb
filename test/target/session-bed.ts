import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Test } from 'tap'
import { type Log, type LogLevel, MiB, seededRandom, systemClock } from '../../core/index.js'
import type { Fabric, ProviderReport } from '../../fabric-native/index.js'
import { MemoryFabric } from '../../fabric-native/memory-fabric.js'
import { MemoryNetwork } from '../../fabric-native/memory-network.js'
import type { Dialogue, Send } from '../../target/dialogue.js'
import { PmdkDialogue } from '../../target/pmdk-dialogue.js'
import { FilePoolStore } from '../../target/pool-store.js'
import { RpmemDialogue } from '../../target/rpmem-dialogue.js'
import { Session } from '../../target/session.js'
import type { TargetNode } from '../../target/target-node.js'
import { FileStorage } from './file-storage.js'
import type { Channel } from './initiator.js'
import { Outlet } from './outlet.js'

export const connection = { clientAddress: '127.0.0.1', serverAddress: '127.0.0.1' }

const offers: readonly ProviderReport[] = [
  { provider: 'verbs', reason: 'there is no such device' },
  ...(['tcp', 'sockets'] as const).map(provider => ({
    provider,
    offer: { provider, fabricName: provider, protocol: 1, protocolVersion: 1, maxLanes: 16, maxMessageSize: 2 ** 30 },
  })),
]

/** The pool sets of the captured sessions, below `pools`; their parts lie in `parts`. */
const poolSets: Readonly<Record<string, string>> = {
  'single.set': 'PMEMPOOLSET\n8M PARTS/single\n',
  'nohdrs.set': 'PMEMPOOLSET\nOPTION NOHDRS\n8M PARTS/nohdrs\n',
  'hdr1.set': 'PMEMPOOLSET\nOPTION SINGLEHDR\n4M PARTS/hdr1.0\n4M PARTS/hdr1.1\n',
  'small.set': 'PMEMPOOLSET\n1M PARTS/small\n',
  'rep.set': 'PMEMPOOLSET\n8M PARTS/rep.0\nREPLICA\n8M PARTS/rep.1\n',
  'many.set': 'PMEMPOOLSET\n1M PARTS/m\n1K PARTS/n\nREPLICA\n8M PARTS/m\n',
  'obj.set': 'PMEMPOOLSET\n10M PARTS/obj\n',
  'bad.set': 'PMEMPOOLSET\n8M relative\n7Q PARTS/x\n',
}

export interface Bed {
  readonly pools: string
  readonly parts: string
  readonly network: MemoryNetwork
  readonly fabric: MemoryFabric
  readonly storage: FileStorage
  readonly node: TargetNode
  readonly logged: [LogLevel, string][]
  /** Names of the part files that exist. */
  partFiles(): string[]
  /** All mappings are closed. */
  released(): boolean
}

export function bed(t: Pick<Test, 'testdir'>, changes: Partial<TargetNode> = {}): Bed {
  const dir = t.testdir({ pools: {}, parts: {} })
  const pools = join(dir, 'pools')
  const parts = join(dir, 'parts')
  mkdirSync(join(pools, 'sub'))
  for (const [name, text] of Object.entries(poolSets)) writeFileSync(join(pools, name), text.replaceAll('PARTS', parts))
  const network = new MemoryNetwork()
  const fabric = new MemoryFabric(network)
  const storage = new FileStorage()
  const logged: [LogLevel, string][] = []
  const log: Log = { write: (level, message) => void logged.push([level, message]) }
  const node: TargetNode = {
    store: new FilePoolStore(pools, storage),
    fabric,
    offers: Promise.resolve(offers),
    connection,
    apmEnabled: false,
    threads: 0,
    log,
    clock: systemClock,
    random: seededRandom(1),
    ...changes,
  }
  const partFiles = () => readdirSync(parts).sort()
  return {
    pools,
    parts,
    network,
    fabric,
    storage,
    node,
    logged,
    partFiles,
    released: () => storage.mapped.every(memory => memory.closed),
  }
}

/** A pool of the set named `name` as another program left it: the part holds these bytes at its beginning. */
export function writePart({ parts }: Bed, name: string, size = 8 * MiB, start: Uint8Array = new Uint8Array()): void {
  const content = Buffer.alloc(size)
  content.set(start)
  writeFileSync(join(parts, name), content)
}

/** A session over in-memory streams. */
export interface Talk extends Channel {
  readonly input: PassThrough
  readonly ended: Promise<number>
  readonly session: Session
  /** Everything that the daemon writes from here on, until its end. */
  rest(): Promise<Uint8Array>
}

export function talk(node: TargetNode, dialect: 'pmdk' | 'rpmem'): Talk {
  const input = new PassThrough()
  const output = new PassThrough()
  const dialogue = (send: Send): Dialogue =>
    dialect === 'pmdk' ? new PmdkDialogue(node, send) : new RpmemDialogue(node, send, 'rpmem test')
  const session = new Session({ input, output, node, dialogue })
  const ended = session.run().finally(() => output.end())
  const outlet = new Outlet(output)
  return { input, session, ended, read: count => outlet.read(count), rest: () => outlet.rest() }
}

export const failingFabric = (fabric: Fabric, error: Error): Fabric => ({
  probe: (providers, where) => fabric.probe(providers, where),
  connect: options => fabric.connect(options),
  listen: async () => {
    throw error
  },
})
