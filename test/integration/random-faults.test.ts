import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as passed } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { assert, pageSize, seededRandom } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { HostLab, linesUntil } from './host-lab.js'
import { processIsThere } from './process-end.js'
import { networksAreAllowed } from './separate-hosts.js'
import { disksAreAllowed, SmallDisk } from './small-disk.js'

const seed = Number(process.env.RPMEM_TEST_SEED ?? Date.now() % 2 ** 31)
const random = seededRandom(seed)
/** A deadline and a tenth. */
const longestMs = 3000 * 1.1
const rounds = 5

const draw = (below: number): number => {
  const [low = 0, high = 0] = random.bytes(2)
  return (low + 256 * high) % below
}

/** What can happen to one target; what is begun is ended by the function that it gives. */
const faults: readonly (readonly [
  name: string,
  begin: (lab: HostLab, target: number, disk: SmallDisk) => () => void,
])[] = [
  [
    'its daemon is killed',
    (lab, target) => {
      signal(lab, target, 'SIGKILL')
      return () => {}
    },
  ],
  [
    'its daemon stands still',
    (lab, target) => {
      signal(lab, target, 'SIGSTOP')
      return () => signal(lab, target, 'SIGCONT')
    },
  ],
  [
    'its link is down',
    (lab, target) => {
      lab.hosts.targets[target]?.cut()
      return () => lab.hosts.targets[target]?.mend()
    },
  ],
  ['it is not heard', (lab, target) => dropped(lab, target, 'target')],
  ['it hears nothing', (lab, target) => dropped(lab, target, 'initiator')],
  ['it neither hears nor is heard', (lab, target) => dropped(lab, target, 'target', 'initiator')],
  [
    'its disk is full when its daemon is killed',
    (lab, target, disk) => {
      disk.fill()
      signal(lab, target, 'SIGKILL')
      return () => disk.free()
    },
  ],
  [
    'its disk can only be read when its daemon is killed',
    (lab, target, disk) => {
      signal(lab, target, 'SIGKILL')
      // Another may have been started before.
      for (let tries = 0; tries < 50 && !disk.readOnly(); tries++) signal(lab, target, 'SIGKILL')
      return () => disk.writable()
    },
  ],
]

function signal(lab: HostLab, target: number, name: NodeJS.Signals): void {
  for (const pid of lab.targets[target]?.daemons() ?? []) if (processIsThere(pid)) process.kill(pid, name)
}

function dropped(lab: HostLab, target: number, ...ends: readonly ('target' | 'initiator')[]): () => void {
  const host = lab.hosts.targets[target]
  for (const end of ends) host?.drop(end)
  return () => host?.hear()
}

const place = temporaryFolder(t, 'rpmem-disks')
const against = !networksAreAllowed()
  ? 'no network namespaces can be made here, so there are no separate hosts'
  : !disksAreAllowed(place) && 'no file system can be mounted here, so no disk can be filled'

for (const form of ['async', 'sync']) {
  const name = `random faults of two hosts under load cost no call its deadline and no byte: ${form} (RPMEM_TEST_SEED=${seed})`
  t.test(name, { skip: against, timeout: 170_000 }, async t => {
    const disks = ['a', 'b'].map(target => {
      const folder = join(place, `${form}-${target}`)
      mkdirSync(folder)
      return new SmallDisk(t, folder, '48m')
    })
    const lab = await HostLab.start(
      t,
      {},
      disks.map(({ folder }) => folder),
    )
    const creating = lab.initiator('create')
    t.equal(await creating.ended, 0, creating.errors)
    const child = lab.initiator('load', form)
    await linesUntil(child, /^ready$/)
    for (let round = 0; round < rounds; round++) {
      const target = draw(2)
      const [what, begin] = faults[draw(faults.length)] ?? []
      const disk = disks[target]
      assert(what && begin && disk, 'there are faults, and a disk for each target')
      const lastsMs = 200 + draw(4500)
      t.comment(`target ${target}: ${what} for ${lastsMs} ms`)
      const end = begin(lab, target, disk)
      await passed(lastsMs)
      end()
      await passed(draw(1500))
    }
    child.process.stdin?.write('end\n')
    const told = JSON.parse((await linesUntil(child, /^\{/)).at(-1) ?? '{}')
    t.comment(JSON.stringify(told))
    t.ok(told.calls > 0 && told.slowestMs < longestMs, `the slowest call took ${told.slowestMs} ms`)
    t.equal(await child.line(), 'closed')
    t.equal(await child.ended, 0, child.errors)
    judge(t, lab)
  })
}

function judge(t: Test, lab: HostLab): void {
  const master = readFileSync(lab.master).subarray(pageSize)
  for (const [target, bytes] of lab.replicas().entries()) sameBytes(t, bytes, master, `the copy of target ${target}`)
}
