import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool } from '../../initiator/index.js'
import { TargetHost } from './target-host.js'
import { withoutPrivileges } from './without-privileges.js'
import { proveWrongInput, type Scene, type WrongInput } from './wrong-input.js'

/** rpmem_create with any name for the pool set. */
async function createAs(scene: Scene, set: string): Promise<unknown> {
  const memory = NativeMemory.anonymous(8 * MiB)
  try {
    return await RemotePool.create(scene.host.address, set, memory, scene.remote)
  } finally {
    memory.close()
  }
}

const rows: readonly WrongInput[] = [
  {
    name: 'a pool set that the target does not have',
    code: 'ERR_POOLSET_MISSING',
    facts: { name: 'other.set' },
    attempt: scene => scene.create({}, `REPLICA ${scene.host.address} other.set`),
  },
  {
    name: 'a local pool set that does not exist',
    code: 'ERR_POOLSET_MISSING',
    attempt: async scene => {
      const { Pool } = await import('../../initiator/index.js')
      return Pool.create(join(scene.local, 'none.set'))
    },
  },
  {
    name: 'a pool set that the daemon may not read',
    code: 'ERR_POOLSET_UNREADABLE',
    facts: { path: /x\.set$/, system: 'EACCES' },
    prepare: scene => chmodSync(join(scene.target, 'x.set'), 0),
    attempt: scene => scene.create({ command: scene.host.script('powerless', [], [], withoutPrivileges) }),
    clear: scene => chmodSync(join(scene.target, 'x.set'), 0o600),
  },
  {
    name: 'a directory in the place of the pool set',
    code: 'ERR_POOLSET_UNREADABLE',
    prepare: scene => {
      rmSync(join(scene.target, 'x.set'))
      mkdirSync(join(scene.target, 'x.set'))
    },
    attempt: scene => scene.create(),
  },
  {
    name: 'a malformed pool set on the target',
    code: 'ERR_POOLSET_SYNTAX',
    facts: { file: /x\.set$/, count: 3, lines: [2, 3, 4] },
    prepare: scene => scene.poolSet('PMEMPOOLSET\n8Q /a\n8M relative\nOPTION NOTHING\n'),
    attempt: scene => scene.create(),
  },
  {
    name: 'a malformed local pool set',
    code: 'ERR_POOLSET_SYNTAX',
    facts: { file: /pool\.set$/, lines: [3] },
    attempt: scene => scene.create({}, 'REPLICA nobody'),
  },
  {
    name: 'a pool set on the target that names a further replica',
    code: 'ERR_POOLSET_UNSUITABLE',
    facts: { why: /REPLICA/ },
    prepare: scene => scene.poolSet(`PMEMPOOLSET\n8M ${scene.part}\nREPLICA\n8M ${scene.part}2\n`),
    attempt: scene => scene.create(),
  },
  {
    name: 'a pool set name with `..` in a REPLICA line',
    code: 'ERR_POOLSET_OUTSIDE',
    attempt: scene => scene.create({}, `REPLICA ${scene.host.address} ${scene.name}/../../outside.set`),
  },
  {
    name: 'a pool set name with `..`',
    code: 'ERR_POOLSET_OUTSIDE',
    facts: { why: /`\.\.`/ },
    attempt: scene => createAs(scene, `${scene.name}/../../outside.set`),
  },
  {
    name: 'an absolute pool set name',
    code: 'ERR_POOLSET_OUTSIDE',
    facts: { why: /absolute/ },
    attempt: scene => createAs(scene, join(scene.target, 'x.set')),
  },
  {
    name: 'a pool set that is a link out of the directory',
    code: 'ERR_POOLSET_OUTSIDE',
    facts: { why: /link/ },
    prepare: scene => {
      writeFileSync(join(scene.host.folder, 'outside.set'), `PMEMPOOLSET\n8M ${scene.part}\n`)
      rmSync(join(scene.target, 'x.set'))
      symlinkSync(join(scene.host.folder, 'outside.set'), join(scene.target, 'x.set'))
    },
    attempt: scene => scene.create(),
  },
  {
    name: 'an empty pool set name',
    code: 'ERR_ARGUMENT',
    facts: { argument: 'set' },
    attempt: scene => createAs(scene, ''),
  },
]

t.before(async () => proveWrongInput(t, await TargetHost.start(t), rows))
