import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../../cli/command-line.js'
import { scratch, writeSet } from '../pool/scratch.js'
import { FakeIo } from './fake-io.js'

const rpmem = async (...argv: string[]) => {
  const io = new FakeIo()
  return { code: await run(argv, io), out: io.stdout, err: io.stderr }
}

function place(t: Test, ...options: string[]) {
  const at = scratch(t)
  for (const name of ['one', 'two']) mkdirSync(join(at, name))
  return { at, set: writeSet(at, 'x.set', ...options, `64M ${at}/one`, `32M ${at}/two`) }
}

t.test('the commands follow a pool over directories from nothing to nothing', async t => {
  const { at, set } = place(t, 'OPTION SINGLEHDR')
  t.match(await rpmem('poolset', 'check', set), { code: 0, out: /0 B, room for 96 MiB, good/ })
  t.match(await rpmem('info', set), { code: 1, err: /ERR_PART_MISSING.*holds no part yet/s })
  t.match(await rpmem('create', set), { code: 0, out: /created/ })
  t.match(await rpmem('poolset', 'check', set), { code: 0, out: /8 MiB, room for 96 MiB, good/ })
  t.match((await rpmem('poolset', 'plan', set)).out, /directory {4}.*one: reserves 67108864 B .*holds 1 part\n/)
  t.match(await rpmem('info', set), { code: 0, out: /one\/000000\.pmem \(8 MiB\), master replica\n {2}signature/ })
  t.match(await rpmem('create', set), { code: 1, err: /ERR_PART_EXISTS/ })
  t.match(await rpmem('status', set), { code: 0, out: /no record/ })
  t.match(await rpmem('rm', set), { code: 0, out: /removed .*000000\.pmem/ })
  t.same([readdirSync(join(at, 'one')), readdirSync(join(at, 'two'))], [[], []])
  t.match(await rpmem('rm', set), { code: 1, err: /ERR_PART_MISSING/ })
  t.match(await rpmem('rm', '--force', '--pool-set', set), { code: 0 })
  t.same(readdirSync(at).sort(), ['one', 'two'])
})

t.test('what makes directories unusable is told by its rule', async t => {
  const { at, set } = place(t)
  t.match(await rpmem('poolset', 'check', set), { code: 1, out: /needs the option SINGLEHDR/ })
  writeFileSync(join(at, 'two/000007.pmem'), '')
  t.match(await rpmem('poolset', 'check', set), { code: 1, out: /is part 7, but there is no part 0 before it/ })
  const wrong = (...lines: string[]) => rpmem('poolset', 'check', writeSet(at, 'wrong.set', ...lines))
  t.match(await wrong(`64M ${at}/one`, `8M ${at}/file`), { code: 1, err: /:3:4: either all parts .* are directories/ })
  t.match(await wrong(`64M ${at}/one`, 'REPLICA node x.set'), { code: 1, err: /directories cannot have a remote/ })
  t.match(await wrong(`64M ${at}/one`, `64M ${at}/../${at.split('/').at(-1)}/one`), { code: 1, err: /same directory/ })
  t.match(await wrong(`AUTO ${at}/one`), { code: 1, err: /AUTO takes the size from a Device DAX/ })
  t.match(await wrong('8M /dev/null'), { code: 1, err: /neither a file, a directory nor a Device DAX/ })
})
