import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB } from '../../core/index.js'
import { Pool } from '../../initiator/index.js'
import { removePart } from '../../pool/index.js'
import { TargetHost } from './target-host.js'
import { withoutPrivileges } from './without-privileges.js'
import { proveWrongInput, type Scene, type WrongInput } from './wrong-input.js'

const powerless = ({ host }: Scene) => host.script('powerless', [], [], withoutPrivileges)

const rows: readonly WrongInput[] = [
  {
    name: 'a part that holds a pool already, on the target,',
    code: 'ERR_PART_EXISTS',
    facts: { part: /\/part$/ },
    prepare: async scene => {
      await (await scene.create()).close()
      await removePart(join(scene.local, 'master'))
    },
    attempt: scene => scene.create(),
  },
  {
    name: 'a part that holds a pool already, here,',
    code: 'ERR_PART_EXISTS',
    facts: { part: /\/master$/ },
    prepare: async scene => {
      await (await scene.create()).close()
      rmSync(scene.part)
    },
    attempt: scene => scene.create(),
  },
  {
    name: 'a file smaller than its line in the pool set',
    code: 'ERR_PART_SIZE',
    facts: { part: /\/part$/ },
    prepare: scene => writeFileSync(scene.part, Buffer.alloc(4 * MiB)),
    attempt: scene => scene.create(),
  },
  {
    name: 'a part line below the least size',
    code: 'ERR_PART_SIZE',
    prepare: scene => scene.poolSet(`PMEMPOOLSET\n8M ${scene.part}\n1M ${scene.part}2\n`),
    attempt: scene => scene.create(),
  },
  {
    name: 'a directory in the place of a part',
    code: 'ERR_POOLSET_UNSUITABLE',
    prepare: scene => mkdirSync(scene.part),
    attempt: scene => scene.create(),
  },
  {
    name: 'a part that the daemon may not write',
    code: 'ERR_PART_ACCESS',
    facts: { part: /\/part$/ },
    prepare: scene => writeFileSync(scene.part, Buffer.alloc(8 * MiB), { mode: 0o400 }),
    attempt: scene => scene.create({ command: powerless(scene) }),
  },
  {
    name: 'a folder in which the daemon may not create a part',
    code: 'ERR_PART_ACCESS',
    facts: { part: /\/part$/ },
    prepare: scene => chmodSync(scene.target, 0o500),
    attempt: scene => scene.create({ command: powerless(scene) }),
    clear: scene => chmodSync(scene.target, 0o700),
  },
  {
    name: 'a part in a folder that does not exist',
    code: 'ERR_PART_IO',
    facts: { part: /nowhere\/part$/, system: 'ENOENT' },
    hint: /directory/,
    prepare: scene => scene.poolSet(`PMEMPOOLSET\n8M ${scene.target}/nowhere/part\n`),
    attempt: scene => scene.create(),
  },
  {
    name: 'a disk too small for the second of two parts (ulimit -f)',
    code: 'ERR_DISK_FULL',
    prepare: scene => scene.poolSet(`PMEMPOOLSET\n4M ${scene.part}\n8M ${scene.part}2\n`),
    attempt: scene => {
      const limited = scene.host.script('limited', [], [], `prlimit --fsize=${6 * MiB}`)
      return scene.create({ command: limited })
    },
  },
]

/** A mount of one process and its children. */
function mountsAreAllowed(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

t.before(async () => {
  const host = await TargetHost.start(t)
  proveWrongInput(t, host, rows)

  const skip = mountsAreAllowed() ? false : 'no file system can be mounted here'
  t.test('a file system that is too small is ERR_DISK_FULL and is left empty', { skip }, async t => {
    const [disk, left] = [join(host.poolSets, 'disk'), join(host.folder, 'left')]
    mkdirSync(disk)
    const line = host.replica('small', [
      ['2M', '../disk/first'],
      ['8M', '../disk/second'],
    ])
    const small = host.script('small', [], [], `sh -c '"$@"; ls ${disk} > ${left}; exit 1' small`)
    const script = host.program(
      'mounting',
      `unshare --mount sh -c 'mount -t tmpfs -o size=5m none ${disk} && ${small} "$@"' -`,
    )
    const set = join(host.folder, 'small.set')
    writeFileSync(set, `PMEMPOOLSET\n8M ${host.folder}/small-master\n${line}\n`)
    await t.rejects(Pool.create(set, { remote: { ...host.options, command: script } }), { code: 'ERR_DISK_FULL' })
    await host.allEnd()
    t.equal(readFileSync(left, 'utf8'), '')
    t.notOk(existsSync(`${host.folder}/small-master`))
  })
})
