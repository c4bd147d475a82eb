import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'

const fabric = new URL('../../fabric-native/index.js', import.meta.url).href

/** Loads libfabric, says so, and ends with 42 when its handler of the signal runs. */
const program = (signal: string) => `
  const { nativeFabric } = await import('${fabric}')
  process.on('${signal}', () => process.exit(42))
  await nativeFabric.probe(['tcp'], {})
  console.log('ready')
  setInterval(() => {}, 1000)
`

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(`after libfabric was loaded, ${signal} still reaches the program`, { timeout: 20_000 }, async t => {
    const args = ['--input-type=module', '--eval', program(signal)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    child.kill(signal)
    const [code] = await once(child, 'exit')
    t.equal(code, 42)
  })
}
