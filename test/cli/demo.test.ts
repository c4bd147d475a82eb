import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const program = fileURLToPath(new URL('../../cli/rpmem.js', import.meta.url))

function demo(t: Test, ...argv: string[]) {
  const child = spawn(process.execPath, [program, 'demo', ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    err += text
  })
  const printed = (wanted: RegExp) =>
    new Promise<void>(resolve => {
      const look = () => wanted.test(out) && resolve()
      child.stdout.on('data', look)
      look()
    })
  const ended = once(child, 'close').then(([code]) => ({ code, out, err }))
  return { child, printed, ended }
}

t.test('the demo mirrors a file, loses a target and finds every record', { timeout: 60_000 }, async t => {
  const dir = t.testdir({ stage: {} })
  const input = join(dir, 'input')
  writeFileSync(input, Array.from({ length: 200 }, (_, index) => `line ${index}\n`).join(''))
  const { code, out, err } = await demo(t, input, '--dir', join(dir, 'stage')).ended
  t.equal(err, '')
  t.equal(code, 0)
  t.match(out, /200 lines/)
  t.match(out, /node-a {6}tcp, GPSPM; /)
  t.match(out, /p50 .* p99 .* p99\.9 /)
  t.match(out, /replica-lost[\s\S]*ERR_PERSIST[\s\S]*durable: local/)
  t.match(out, /200 of 200 records/)
  t.match(out, /\nPASS: .*\n$/)
  t.ok(out.split('\n').every(line => line.length <= 80 || line.includes(dir)))
  t.same(readdirSync(join(dir, 'stage')), [])
})

t.test('an interrupted demo cleans up after itself', { timeout: 60_000 }, async t => {
  const dir = t.testdir({ stage: {} })
  const input = join(dir, 'input')
  writeFileSync(input, 'a line of the input\n'.repeat(1_000_000))
  const { child, printed, ended } = demo(t, input, '--dir', join(dir, 'stage'))
  await printed(/2 {2}Write record by record/)
  child.kill('SIGINT')
  const { code, out, err } = await ended
  t.equal(code, 1)
  t.match(err, /ERR_ABORTED: interrupted by SIGINT/)
  t.match(out, /\nFAIL: interrupted by SIGINT\n$/)
  t.same(readdirSync(join(dir, 'stage')), [])
})

t.test('input that cannot be read or is empty is an error', { timeout: 60_000 }, async t => {
  const dir = t.testdir({ empty: '' })
  t.match(await demo(t, join(dir, 'none')).ended, {
    code: 1,
    out: /\nFAIL: .*none cannot be read\n$/,
    err: /ERR_ARGUMENT: .*none cannot be read/,
  })
  t.match(await demo(t, join(dir, 'empty')).ended, { code: 1, err: /empty is empty/ })
})
