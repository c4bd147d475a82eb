import t from 'tap'
import { choosePersistMethod } from '../../target/persist-policy.js'

t.test('APM is chosen where a read after the writes proves them durable, or where PMDK expects it', async t => {
  const best = { apmEnabled: true, durability: 'dax', dialect: 'rpmem', provider: 'verbs' } as const
  for (const [change, method, why] of [
    [{}, 'APM', /allowed/],
    [{ apmEnabled: false }, 'GPSPM', /not set/],
    [{ durability: 'msync' }, 'GPSPM', /DAX/],
    [{ durability: 'volatile' }, 'GPSPM', /DAX/],
    [{ provider: 'tcp' }, 'GPSPM', /over tcp the CPU copies/],
    [{ provider: 'sockets' }, 'GPSPM', /over sockets the CPU copies/],
    [{ dialect: 'pmdk' }, 'APM', /allowed/],
    [{ dialect: 'pmdk', provider: 'sockets' }, 'APM', /allowed/],
    [{ dialect: 'pmdk', durability: 'volatile' }, 'GPSPM', /DAX/],
  ] as const) {
    t.match(choosePersistMethod({ ...best, ...change }), { method, why }, JSON.stringify(change))
  }
})
