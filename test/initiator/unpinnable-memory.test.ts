import t, { type Test } from 'tap'
import { RpmemError } from '../../core/index.js'
import type { Fabric, ListenOptions, ProviderReport } from '../../fabric-native/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { type TargetBed, targetBed } from './target-bed.js'

/** A machine with an RDMA device whose target finds that the pages of the pool cannot be pinned. */
async function unpinnable(t: Test): Promise<TargetBed> {
  return targetBed(t, 'rpmem', fabric => ({
    probe: () => verbsToo(fabric),
    connect: options => fabric.connect(options),
    async listen(options: ListenOptions) {
      if (options.provider === 'verbs') throw new RpmemError('ERR_MEMORY_UNPINNABLE', 'not to be pinned')
      return fabric.listen(options)
    },
  }))
}

async function verbsToo(fabric: Fabric): Promise<ProviderReport[]> {
  const reports = await fabric.probe(['tcp'], {})
  return reports.flatMap(report =>
    report.offer ? [{ provider: 'verbs', offer: { ...report.offer, provider: 'verbs' } }, report] : [],
  )
}

t.test('a pool whose pages the target cannot pin is carried by tcp, and it says why', async t => {
  const { create, open, memory } = await unpinnable(t)
  for (const begin of [create, open]) {
    const pool = await begin()
    t.match(pool.transport, {
      provider: 'tcp',
      why: [{ provider: 'verbs', chosen: false, reason: /on the target: .*not to be pinned/ }, { chosen: true }, {}],
    })
    memory.view(4096, 64).fill(7)
    pool.persistSync(4096, 64)
    const seen = new Uint8Array(64)
    await pool.read(4096, seen)
    sameBytes(t, seen, new Uint8Array(64).fill(7), 'at the target')
    await pool.close()
  }
})

t.test('where verbs is required, such a pool is refused and leaves nothing', async t => {
  const { create, partFiles } = await unpinnable(t)
  await t.rejects(create(undefined, { transport: { require: 'verbs' } }), {
    code: 'ERR_NO_PROVIDER',
    facts: { verbs: /not to be pinned/, tcp: /verbs is required/ },
  })
  t.same(partFiles(), [])
})
