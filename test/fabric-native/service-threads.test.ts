import t from 'tap'
import { pageSize } from '../../core/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { connectOptions, contentOf, listenOptions, mark, poolSize } from './compliance.js'
import { nativeBed } from './native-bed.js'

for (const [threads, lanes] of [
  [1, 4],
  [3, 8],
  [16, 2],
] as const) {
  t.test(`${threads} service threads share ${lanes} lanes`, async t => {
    const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
    const [remote, local] = [bed.memory(poolSize), bed.memory(poolSize)]
    const service = await bed.fabric.listen({ ...listenOptions(bed, remote, lanes), threads })
    const connected = await bed.fabric.connect(connectOptions(bed, service, local))
    await service.connected
    const stretch = 100_000
    const expected = mark(local, pageSize, lanes * stretch)
    const each = Array.from({ length: lanes }, async (_, lane) => {
      const begin = pageSize + lane * stretch
      for (let at = 0; at < stretch; at += 1000) await connected.persist(begin + at, 1000, { lane })
    })
    await Promise.all(each)
    sameBytes(t, contentOf(remote, pageSize, lanes * stretch), expected, 'every lane brought its bytes')
    for (let lane = 0; lane < lanes; lane++) connected.persistSync(pageSize, 64, { lane })
    await connected.close()
    await service.close()
  })
}
