import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { assert, pageSize } from '../../core/index.js'
import { Pool, type PoolCreateOptions, type RemotePoolOptions } from '../../initiator/index.js'
import { RecordFile, recordPath } from '../../pool/index.js'
import { localSet, TargetHost } from './target-host.js'

export interface MirroredPool {
  readonly host: TargetHost
  readonly pool: Pool
  /** Path of the local pool set. */
  readonly set: string
  readonly master: string
  /** The bytes of a target that the user of the pool has written, as its file has them. */
  replica(target: string): Uint8Array
  reopen(): Promise<Pool>
  /** How the targets are reached. */
  readonly options: { readonly remote: RemotePoolOptions }
  /** As if the program had crashed: for pools whose replicas are kept. */
  uncleanly(): void
  /** Changes a byte of the copy of a target, at a place that the user may use. */
  damage(target: string, offset: number): void
}

/** A pool of 8 MiB with a local part and a replica on each of these targets. */
export async function mirroredPool(
  t: Test,
  targets: readonly string[] = ['a', 'b'],
  options: RemotePoolOptions = {},
  more: PoolCreateOptions = {},
): Promise<MirroredPool> {
  const host = await TargetHost.start(t)
  const master = join(host.folder, 'master')
  const set = localSet(host.folder, `8M ${master}`, ...targets.map(target => host.replica(target, [['8M', 'part']])))
  const remote = { ...host.options, lanes: 2, ...options }
  const pool = await Pool.create(set, { remote, ...more })
  t.teardown(() => pool.close().catch(() => {}))
  return {
    host,
    pool,
    set,
    master,
    replica: target => new Uint8Array(host.content(target, 'part').subarray(pageSize)),
    reopen: () => Pool.open(set, { remote }),
    options: { remote },
    uncleanly() {
      const store = new RecordFile(recordPath(master))
      const record = store.read()
      assert(record, 'a kept pool has a record')
      store.write({ ...record, closed: false })
    },
    damage(target, offset) {
      const bytes = host.content(target, 'part')
      bytes[pageSize + offset] = (bytes[pageSize + offset] ?? 0) ^ 0xff
      writeFileSync(host.part(target, 'part'), bytes)
    },
  }
}
