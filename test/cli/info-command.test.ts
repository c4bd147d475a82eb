import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../cli/command-line.js'
import { readVector } from '../pool/header-vectors.js'
import { FakeIo } from './fake-io.js'

const info = async (...argv: string[]) => {
  const io = new FakeIo()
  const code = await run(['info', ...argv], io)
  return { code, out: io.stdout, err: io.stderr }
}

const capturedPage = (): Uint8Array => {
  const [first] = readVector('01-remote-single-part.txt')
  if (!first) throw new Error('the vector is empty')
  return first.page
}

t.test('a header that PMDK wrote is shown field by field', async t => {
  const file = join(t.testdir({}), 'part')
  writeFileSync(file, capturedPage())
  const { code, out } = await info(file)
  t.equal(code, 0)
  t.match(out, /signature {9}VECTOR01\n/)
  t.match(out, /major {13}16909060\n/)
  t.match(out, /incompat {10}0x2 CKSUM_2K\n/)
  t.match(out, /checksum {10}0x[0-9a-f]+ right\n/)
  t.match(JSON.parse((await info(file, '--json')).out), {
    parts: [{ header: { signature: 'VECTOR01', checksumIsRight: true } }],
  })
})

t.test('a damaged header, an empty one, a short file and a missing one are told apart', async t => {
  const dir = t.testdir({ short: 'x' })
  const damaged = capturedPage()
  damaged.fill(0xff, 40, 44)
  writeFileSync(join(dir, 'damaged'), damaged)
  writeFileSync(join(dir, 'empty'), new Uint8Array(4096))
  t.match(await info(join(dir, 'damaged')), { code: 1, out: /WRONG\n {2}the checksum of the header is wrong/ })
  t.match(await info(join(dir, 'empty')), { code: 1, out: /has no header/ })
  t.match(await info(join(dir, 'short')), { code: 1, out: /too short/ })
  t.match(await info(join(dir, 'none')), { code: 1, err: /ERR_PART_MISSING/ })
})

t.test('a pool set is shown part by part, also where parts are missing', async t => {
  const dir = t.testdir({})
  const set = join(dir, 'a.set')
  writeFileSync(set, `PMEMPOOLSET\nOPTION SINGLEHDR\n2M ${dir}/p0\n2M ${dir}/p1\nREPLICA\n4M ${dir}/r0\n`)
  const page = Buffer.alloc(2 << 20)
  writeFileSync(join(dir, 'p1'), page)
  page.set(capturedPage())
  writeFileSync(join(dir, 'p0'), page)
  const { code, out } = await info(set)
  t.equal(code, 1)
  t.match(out, /p0 \(2 MiB\), master replica\n {2}signature/)
  t.match(out, /p1 \(2 MiB\), master replica\n {2}no header/)
  t.match(out, /r0, local replica 1\n {2}ERR_PART_MISSING: not there\n {2}hint: /)
})

t.test('text in a signature cannot command the terminal', async t => {
  const file = join(t.testdir({}), 'part')
  const page = capturedPage()
  page.set(Buffer.from('\x1b[2J\x07ab\x00'))
  writeFileSync(file, page)
  t.match((await info(file)).out, /signature {9}\.\[2J\.ab\n/)
})
