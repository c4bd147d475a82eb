import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { alignUp, MiB } from '../core/index.js'
import { fileSystemKind } from '../fabric-native/index.js'
import { LoopbackNodes } from './loopback-node.js'

export const demoNodes = ['node-a', 'node-b'] as const
export type DemoNode = (typeof demoNodes)[number]

/** Where the demo plays: a temporary directory with the local part, two nodes and their pool sets. */
export class DemoStage {
  readonly directory: string
  readonly nodes: LoopbackNodes
  /** The pool set with the local part and the two REPLICA lines. */
  readonly poolSetFile: string
  readonly #poolSize: number

  private constructor(directory: string, nodes: LoopbackNodes, poolSize: number) {
    this.directory = directory
    this.nodes = nodes
    this.#poolSize = poolSize
    this.poolSetFile = join(directory, 'demo.set')
    const local = this.#set(join(directory, 'local.part'))
    const replicas = demoNodes.map(node => `REPLICA ${nodes.address(node)} demo.set\n`)
    writeFileSync(this.poolSetFile, local + replicas.join(''))
    for (const node of demoNodes)
      writeFileSync(this.replicaSetFile(node), this.#set(join(nodes.poolSetDir(node), 'replica.part')))
  }

  /** Makes room for pools of at least `bytes`; below `parent` if given, else on a disk if there is one. */
  static async set(bytes: number, parent: string | undefined): Promise<DemoStage> {
    const directory = mkdtempSync(join(parent ?? (await durableDirectory()), 'rpmem-demo-'))
    try {
      const nodes = await LoopbackNodes.start(directory, demoNodes)
      return new DemoStage(directory, nodes, Math.max(8 * MiB, alignUp(bytes + MiB, MiB)))
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw error
    }
  }

  /** The pool set that the operator of the node wrote: the parts there, without REPLICA lines. */
  replicaSetFile(node: DemoNode): string {
    return join(this.nodes.poolSetDir(node), 'demo.set')
  }

  /** Ends the nodes and removes every file. */
  async clear(): Promise<void> {
    await this.nodes.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  #set(part: string): string {
    return `PMEMPOOLSET\n${this.#poolSize / MiB}M ${part}\n`
  }
}

/** tmpfs would be quicker, but a demonstration of durability belongs on something that is durable. */
async function durableDirectory(): Promise<string> {
  for (const directory of [tmpdir(), '/var/tmp']) {
    if (!(await inMemory(directory))) return directory
  }
  return tmpdir()
}

async function inMemory(directory: string): Promise<boolean> {
  try {
    const handle = await open(directory)
    try {
      return fileSystemKind(handle.fd).inMemory
    } finally {
      await handle.close()
    }
  } catch {
    return true
  }
}
