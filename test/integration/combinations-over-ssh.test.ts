import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { nativeFabric, type ProviderName } from '../../fabric-native/index.js'
import { readEnvironment } from '../../initiator/index.js'
import { type RemoteNode, startRemoteNode } from '../fixture/remote-node.js'
import {
  type Combination,
  type Ground,
  headerKinds,
  nameOf,
  type Path,
  partCounts,
  paths,
  prove,
} from './combination.js'
import { processIsThere, within } from './process-end.js'

/** As every-combination.ts, but with the daemon's own process behind a real sshd: here each two values of two kinds meet once. */

t.setTimeout(300_000)

const seed = Number(process.env.RPMEM_TEST_SEED ?? 1)
const more = { tcp: 300, sockets: 40, verbs: 0 }

/** Any two of path, parts and headers occur together, and each number of lanes once. */
const combinations = partCounts.flatMap((parts, a) =>
  paths.map((path, b): Combination => {
    const headers = headerKinds[(a + b) % headerKinds.length] ?? 'each'
    const row = a * paths.length + b
    return { path, parts, headers, lanes: row >= 1 && row <= 16 ? row : more[path.provider] }
  }),
)

async function mostLanes(): Promise<Map<ProviderName, number>> {
  const reports = await nativeFabric.probe(['tcp', 'sockets'], { source: '127.0.0.1' })
  return new Map(reports.map(report => [report.provider, report.offer?.maxLanes ?? 0]))
}

const startNode = (t: Test, { dialect, apm }: Path): Promise<RemoteNode> =>
  startRemoteNode(t, {
    pmdk: dialect === 'pmdk',
    arguments: apm ? ['--persist-apm'] : [],
    environment: { PMEM2_FORCE_GRANULARITY: apm ? 'cache_line' : 'page' },
  })

const groundOf = (node: RemoteNode, most: number): Ground => ({
  address: node.address,
  options: { ...node.options, environment: readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' }), deadlineMs: 30_000 },
  most,
  part: index => join(node.parts, String(index)),
  write: text => writeFileSync(join(node.pools, 'x.set'), text),
  partFiles: () => node.partFiles(),
})

const most = await mostLanes()
for (const path of paths) {
  t.test(`our ends behind an sshd over ${path.provider}, in the dialect of ${path.dialect}, seed ${seed}`, async t => {
    const node = await startNode(t, path)
    for (const [n, combination] of combinations.filter(candidate => candidate.path === path).entries()) {
      await t.test(nameOf(combination), async t => {
        await prove(t, groundOf(node, most.get(path.provider) ?? 0), combination, seed * 1000 + n)
        const daemon = node.daemon()
        t.type(await within(5000, () => !processIsThere(daemon)), 'number', 'the daemon has ended')
        t.notMatch(node.daemonLog(), / err: /)
      })
    }
  })
}

t.test('every two values of path, parts and headers meet, and every number of lanes from 1 to 16 occurs', async t => {
  const pairs = new Set(
    combinations.flatMap(({ path, parts, headers }) => [
      `path ${paths.indexOf(path)}, ${parts} parts`,
      `path ${paths.indexOf(path)}, headers ${headers}`,
      `${parts} parts, headers ${headers}`,
    ]),
  )
  t.equal(pairs.size, paths.length * partCounts.length + paths.length * headerKinds.length + 9)
  const lanes = new Set(combinations.map(combination => combination.lanes))
  for (let count = 1; count <= 16; count++) t.ok(lanes.has(count), `${count} lanes`)
  t.ok(
    combinations.some(({ path, lanes }) => lanes > (most.get(path.provider) ?? 0)),
    'more than are granted',
  )
})
