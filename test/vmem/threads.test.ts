import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { MiB } from '../../core/index.js'
import { Vmem } from '../../vmem/index.js'
import { poolBeds, requireConsistent } from './pool-bed.js'

/** A thread that attaches to the pool and does one errand after the other (pool-worker.ts). */
class Colleague {
  readonly #worker: Worker

  constructor(t: Test, vmem: Vmem) {
    this.#worker = new Worker(fileURLToPath(new URL('pool-worker.js', import.meta.url)), { workerData: vmem.share() })
    t.teardown(() => this.#worker.terminate())
  }

  async ask<Answer>(name: string, ...values: readonly number[]): Promise<Answer> {
    const answer = once(this.#worker, 'message')
    this.#worker.postMessage({ name, values })
    return (await answer)[0]
  }

  terminate(): Promise<number> {
    return this.#worker.terminate()
  }
}

for (const bed of poolBeds) {
  t.test(`one thread frees what another allocated (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const colleague = new Colleague(t, vmem)
    const theirs = await colleague.ask<number[]>('malloc many', 64, 3000)
    for (const offset of theirs) vmem.view(offset).fill(3)
    for (const offset of theirs) vmem.freeOffset(offset)
    t.throws(() => vmem.freeOffset(theirs[0] ?? 0), { code: 'ERR_HEAP_FREED' })
    t.equal(await colleague.ask('free', theirs[1] ?? 0), 'ERR_HEAP_FREED')
    const ours = [8, 64, 3000, 4096, MiB].map(size => vmem.malloc(size))
    const offsets = ours.map(block => vmem.offsetOf(block))
    t.equal(await colleague.ask('fill', offsets[1] ?? 0, 7), 64)
    t.equal(ours[1]?.[63], 7)
    t.equal(await colleague.ask('free', ...offsets), 5)
    for (const block of ours) t.throws(() => vmem.free(block), { code: 'ERR_HEAP_FREED' })
    const { classes, large } = vmem.stats()
    t.equal(large.live + classes.reduce((sum, each) => sum + each.live, 0), 0)
    requireConsistent(t, vmem)
    t.ok(vmem.mallocOffset(8 * MiB) > 0, 'all of it can be used for anything again')
  })

  t.test(`twelve threads find room in a pool of the least size of libvmem (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const colleagues = Array.from({ length: 12 }, () => new Colleague(t, vmem))
    for (const size of [64, 1000, 100_000]) {
      const offsets = await Promise.all(colleagues.map(colleague => colleague.ask<number>('malloc', size)))
      t.equal(new Set(offsets).size, 12, `${offsets}`)
      t.ok(offsets.every(offset => offset > 0))
    }
    t.equal(vmem.stats().threads, 13)
    requireConsistent(t, vmem)
    // What a thread holds for itself does not stay with it.
    const whole = vmem.stats().largestFree
    await Promise.all(colleagues.map(colleague => colleague.terminate()))
    t.equal(vmem.stats().threads, 1)
    t.ok(vmem.stats().largestFree >= whole)
    requireConsistent(t, vmem)
  })

  t.test(`threads hammer one small pool while it is checked (${bed.name} pool)`, async t => {
    const vmem = bed.open(t, 2 * MiB)
    const colleagues = Array.from({ length: 3 }, () => new Colleague(t, vmem))
    let running = true
    const work = Promise.all(colleagues.map((colleague, seed) => colleague.ask<number>('hammer', 3000, seed + 1)))
    const done = work.finally(() => {
      running = false
    })
    let checks = 0
    while (running) {
      const { findings } = vmem.check()
      if (findings.length > 0) t.same(findings, [], `check ${checks}`)
      checks++
      await new Promise(resolve => setImmediate(resolve))
    }
    const counts = await done
    t.ok(
      counts.every(count => Number.isInteger(count) && count > 0),
      `${counts}, ${checks} checks`,
    )
    const { classes, large } = vmem.stats()
    t.equal(large.live + classes.reduce((sum, each) => sum + each.live, 0), 0)
    t.equal(
      large.allocated + classes.reduce((sum, each) => sum + each.allocated, 0),
      counts.reduce((a, b) => a + b),
    )
    requireConsistent(t, vmem)
  })

  t.test(`the owner closes for all, others for themselves (${bed.name} pool)`, async t => {
    const vmem = bed.open(t)
    const [first, second] = [new Colleague(t, vmem), new Colleague(t, vmem)]
    const offset = await first.ask<number>('malloc', 64)
    t.equal(await first.ask('close'), true)
    t.equal(await first.ask('malloc', 64), 'ERR_CLOSED')
    vmem.freeOffset(offset)
    t.ok((await second.ask<number>('malloc', 64)) > 0)
    const token = vmem.share()
    vmem.closeSync()
    t.equal(await second.ask('malloc', 64), 'ERR_CLOSED')
    t.equal(await second.ask('free', 8192), 'ERR_CLOSED')
    t.throws(() => Vmem.attach(token), { code: 'ERR_CLOSED' })
  })
}

t.test('a thread that attaches in the owner’s own thread is one more', async t => {
  const vmem = Vmem.createSync('/dev/shm', 2 * MiB)
  t.teardown(() => vmem.closeSync())
  const again = Vmem.attach(vmem.share())
  const block = again.malloc(64).fill(1)
  vmem.freeOffset(again.offsetOf(block))
  t.throws(() => again.free(block), { code: 'ERR_HEAP_FREED' })
  again.closeSync()
  t.ok(vmem.malloc(64))
  requireConsistent(t, vmem)
})

t.test('vmem_multiple_pools: 4 pools in each of 16 threads', async t => {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData).then(({ Vmem }) => {
      for (let n = 0; n < 4; n++) {
        const vmem = Vmem.createSync('/dev/shm', ${2 * MiB})
        vmem.free(vmem.malloc(100))
        if (!vmem.check().consistent) throw new Error('not consistent')
        vmem.closeSync()
      }
      parentPort.postMessage('done')
    })`
  const vmemModule = new URL('../../vmem/index.js', import.meta.url).href
  const workers = Array.from({ length: 16 }, () => new Worker(source, { eval: true, workerData: vmemModule }))
  const answers = await Promise.all(workers.map(worker => once(worker, 'message')))
  t.same(
    answers.map(([answer]) => answer),
    Array(16).fill('done'),
  )
  await Promise.all(workers.map(worker => worker.terminate()))
})
