import t from 'tap'
import { Child } from './child.js'
import { mirroredPool } from './mirrored-pool.js'

const endings = [
  { how: 'return', name: 'returns without close', code: 0 },
  { how: 'persist', name: 'returns without close after a persist', code: 0 },
  { how: 'exit', name: 'calls process.exit', code: 0 },
  { how: 'pending', name: 'exits with a persist under way', code: 0 },
  { how: 'throw', name: 'throws what nobody catches', code: 1, errors: /nobody catches this/ },
  { how: 'reject', name: 'rejects what nobody handles', code: 1, errors: /nobody handles this/ },
] as const

t.test('a program that opens a pool and does not close it ends by itself, and its daemons with it', async t => {
  const { host, pool, set } = await mirroredPool(t)
  await pool.close()
  await host.allEnd()
  for (const ending of endings) {
    await t.test(`one that ${ending.name}`, async t => {
      const child = new Child(t, 'writer-child.js', [ending.how, set, JSON.stringify(host.options)])
      t.equal(await child.line(), 'open')
      const told = performance.now()
      t.equal(await child.ended, ending.code)
      t.ok(performance.now() - told < 3000, 'soon')
      if ('errors' in ending) t.match(child.errors, ending.errors)
      else t.equal(child.errors, '')
      t.not(await host.allEnd(2000), undefined, 'the daemons end within two seconds')
    })
  }
})

t.test('SIGTERM ends it likewise', async t => {
  const { host, pool, set, reopen } = await mirroredPool(t)
  await pool.close()
  await host.allEnd()
  const child = new Child(t, 'writer-child.js', ['sync', set, JSON.stringify(host.options)])
  t.equal(await child.line(), 'open')
  t.equal(await child.line(), '1')
  child.process.kill('SIGTERM')
  while ((await child.line()) !== undefined);
  t.equal(await child.ended, 'SIGTERM')
  t.not(await host.allEnd(2000), undefined, 'the daemons end within two seconds')
  await (await reopen()).close()
})
