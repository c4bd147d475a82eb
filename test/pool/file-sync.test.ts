import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { FileSync } from '../../pool/file-sync.js'

/** A disk that takes its time: each sync ends when it is told to. */
function slowDisk() {
  const disk = new EventEmitter()
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  const sync = new FileSync(() => {
    const work = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
    disk.emit('asked')
    return work
  })
  return { sync, waiting, asked: () => once(disk, 'asked') }
}

t.test('calls that come during a sync share the next one', async t => {
  const { sync, waiting, asked } = slowDisk()
  const settled: string[] = []
  const note = (name: string) => sync.run().then(() => settled.push(name))
  const [first, second, third] = [note('first'), note('second'), note('third')]
  t.equal(waiting.length, 1, 'only one at a time')
  const secondAsked = asked()
  waiting[0]?.resolve()
  await first
  t.strictSame(settled, ['first'], 'what came later was stored later, and is not covered by the first')
  await secondAsked
  const [fourth, thirdAsked] = [note('fourth'), asked()]
  waiting[1]?.resolve()
  await Promise.all([second, third])
  t.notOk(settled.includes('fourth'), 'it came when the second had begun')
  await thirdAsked
  waiting[2]?.resolve()
  await fourth
  t.equal(waiting.length, 3)
})

t.test('each sync that nobody shares is one of its own', async t => {
  const { sync, waiting } = slowDisk()
  for (let count = 1; count <= 3; count++) {
    const done = sync.run()
    waiting[count - 1]?.resolve()
    await done
    t.equal(waiting.length, count)
  }
})

t.test('a file that could not be made durable stays failed', async t => {
  const { sync, waiting } = slowDisk()
  const [first, second] = [sync.run(), sync.run()]
  const rejected = [t.rejects(first, { message: 'EIO' }), t.rejects(second, { message: 'EIO' })]
  waiting[0]?.reject(new Error('EIO'))
  await Promise.all(rejected)
  await t.rejects(sync.run(), { message: 'EIO' })
  t.equal(waiting.length, 1, 'the disk is not asked again')
})
