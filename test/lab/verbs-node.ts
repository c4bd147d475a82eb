import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { MiB, type PoolAttributes, zeroAttributes } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { type RemoteNode, type RemoteNodeOptions, startRemoteNode } from '../fixture/remote-node.js'
import { rdmaAddress } from './rdma-address.js'
import { slowClock } from './slow-clock.js'

export const poolSize = 8 * MiB

export const attributes: PoolAttributes = {
  ...zeroAttributes(),
  signature: Buffer.from('OVERRDMA'),
  major: 1,
  poolsetUuid: Buffer.alloc(16, 1),
  uuid: Buffer.alloc(16, 2),
  nextUuid: Buffer.alloc(16, 3),
  prevUuid: Buffer.alloc(16, 4),
  userFlags: Buffer.alloc(16, 5),
}

/** For what runs on emulated processors. */
export const patience = { clock: slowClock, deadlineMs: 60_000 }

export interface VerbsNode {
  readonly node: RemoteNode
  readonly memory: NativeMemory
  /** The target's part file. */
  readonly part: string
  readonly options: RemotePoolCreateOptions
  create(options?: RemotePoolCreateOptions): Promise<RemotePool>
  open(options?: RemotePoolCreateOptions): Promise<RemotePool>
}

/** A target on this machine, reached through the address of its RDMA device. */
export async function verbsNode(t: Test, more: RemoteNodeOptions = {}, folder?: string): Promise<VerbsNode> {
  const node = await startRemoteNode(t, { listen: rdmaAddress() ?? '', ...more })
  // One test's parts are not the next one's.
  const parts = folder === undefined ? node.parts : mkdtempSync(join(folder, 'parts-'))
  t.teardown(() => rmSync(parts, { recursive: true, force: true }))
  const part = join(parts, 'a')
  node.writeSet('a.set', `PMEMPOOLSET\n8M ${part}\n`)
  const memory = NativeMemory.anonymous(poolSize)
  t.teardown(() => memory.close())
  const ssh = { ...node.options.ssh, connectTimeoutMs: 100_000 }
  const options = { ...node.options, ...patience, ssh, lanes: 2, attributes }
  const closing = (pool: RemotePool) => {
    t.teardown(() => pool.close().catch(() => {}))
    return pool
  }
  return {
    ...{ node, memory, part, options },
    create: async more => closing(await RemotePool.create(node.address, 'a.set', memory, { ...options, ...more })),
    open: async more => closing(await RemotePool.open(node.address, 'a.set', memory, { ...options, ...more })),
  }
}

export const pattern = (length: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + 7 + salt) & 0xff)
