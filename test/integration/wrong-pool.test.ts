import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { TargetHost } from './target-host.js'
import { proveWrongInput, type Scene, type WrongInput } from './wrong-input.js'

const rows: readonly WrongInput[] = [
  {
    name: 'a pool that another initiator has open, its target',
    code: 'ERR_POOL_BUSY',
    facts: { part: /\/part$/ },
    prepare: async scene => {
      scene.open = await scene.create()
    },
    attempt: async ({ host, name, remote }) => {
      const memory = NativeMemory.anonymous(8 * MiB)
      try {
        return await RemotePool.open(host.address, `${name}/x.set`, memory, remote)
      } finally {
        memory.close()
      }
    },
    clear: ({ open }) => open?.close(),
  },
  {
    name: 'a pool that is open, its local part',
    code: 'ERR_POOL_BUSY',
    facts: { part: /\/master$/ },
    prepare: async scene => {
      scene.open = await scene.create()
    },
    attempt: scene => Pool.open(scene.set(scene.replica), { remote: scene.remote }),
    clear: ({ open }) => open?.close(),
  },
  {
    name: 'a pool too large for the target',
    code: 'ERR_POOL_SIZE',
    facts: { have: 8 * MiB, size: 16 * MiB },
    attempt: scene => create(scene, 16 * MiB),
  },
  {
    name: 'a size of nothing',
    code: 'ERR_ARGUMENT',
    facts: { argument: 'size', value: 0 },
    attempt: scene => create(scene, 8 * MiB, 0),
  },
  {
    name: 'a local pool below the least size',
    code: 'ERR_PART_SIZE',
    attempt: scene => {
      writeFileSync(join(scene.local, 'pool.set'), `PMEMPOOLSET\n1M ${scene.local}/master\n${scene.replica}\n`)
      return Pool.create(join(scene.local, 'pool.set'), { remote: scene.remote })
    },
  },
  {
    name: 'a second target that fails, after the first has created its part,',
    code: 'ERR_POOLSET_MISSING',
    attempt: scene => {
      const set = scene.set(scene.replica, `REPLICA ${scene.host.address} missing.set`)
      return Pool.create(set, { remote: scene.remote })
    },
  },
  {
    name: 'a damaged header on the target',
    code: 'ERR_HEADER_INVALID',
    facts: { part: /\/part$/ },
    prepare: async scene => {
      await (await scene.create()).close()
      const bytes = readFileSync(scene.part)
      bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
      writeFileSync(scene.part, bytes)
    },
    attempt: scene => Pool.open(scene.set(scene.replica), { remote: scene.remote }),
  },
  {
    name: 'a replica of another pool on the target',
    code: 'ERR_HEADER_INVALID',
    prepare: async scene => {
      await (await scene.create()).close()
      rmSync(join(scene.local, 'master'))
      await (await Pool.create(scene.set())).close()
    },
    attempt: scene => Pool.open(scene.set(scene.replica), { remote: scene.remote }),
  },
]

async function create({ host, name, remote }: Scene, memorySize: number, size = memorySize): Promise<unknown> {
  const memory = NativeMemory.anonymous(memorySize)
  try {
    return await RemotePool.create(host.address, `${name}/x.set`, memory, { ...remote, size })
  } finally {
    memory.close()
  }
}

t.before(async () => proveWrongInput(t, await TargetHost.start(t), rows))
