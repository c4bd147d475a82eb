import { join } from 'node:path'
import type { Test } from 'tap'
import { pageSize } from '../../core/index.js'
import { Pool, type RemotePoolOptions } from '../../initiator/index.js'
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
}

/** A pool of 8 MiB with a local part and a replica on each of these targets. */
export async function mirroredPool(
  t: Test,
  targets: readonly string[] = ['a', 'b'],
  options: RemotePoolOptions = {},
): Promise<MirroredPool> {
  const host = await TargetHost.start(t)
  const master = join(host.folder, 'master')
  const set = localSet(host.folder, `8M ${master}`, ...targets.map(target => host.replica(target, [['8M', 'part']])))
  const remote = { ...host.options, lanes: 2, ...options }
  const pool = await Pool.create(set, { remote })
  t.teardown(() => pool.close().catch(() => {}))
  return {
    host,
    pool,
    set,
    master,
    replica: target => new Uint8Array(host.content(target, 'part').subarray(pageSize)),
    reopen: () => Pool.open(set, { remote }),
  }
}
