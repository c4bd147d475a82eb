import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../fixture/temporary-folder.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const source = join(root, 'fabric-native', 'src')
const core = readdirSync(source).filter(name => /^heap(-\w+)?\.cc$/.test(name) && !/face|handle/.test(name))

const seed = Number(process.env.RPMEM_TEST_SEED ?? 5)

/** The heap without Node.js around it, so that ThreadSanitizer sees every instruction of it. */
const builds = [
  { name: 'as it is shipped', flags: ['-O2'], rounds: 60_000 },
  {
    name: 'AddressSanitizer and UndefinedBehaviorSanitizer',
    flags: ['-O1', '-fsanitize=address,undefined'],
    rounds: 8000,
  },
  { name: 'ThreadSanitizer', flags: ['-O1', '-fsanitize=thread'], rounds: 4000 },
]

for (const { name, flags, rounds } of builds) {
  t.test(`threads in a small heap disturb nothing: ${name}, seed ${seed}`, { timeout: 280_000 }, async t => {
    const program = join(temporaryFolder(t), 'heap-stress')
    const files = [join(root, 'test/fabric-native/heap-stress.cc'), ...core.map(file => join(source, file))]
    const warnings = ['-std=c++20', '-g', '-pthread', '-Wall', '-Wextra', '-Werror', '-fno-sanitize-recover=all']
    await run('g++', [...warnings, ...flags, ...files, '-o', program])
    for (const threads of [1, 4]) {
      const task = [program, String(threads), String(rounds), String(seed), '2']
      // ThreadSanitizer cannot place its shadow beside fully random addresses.
      const { stdout, stderr } = await run('setarch', ['-R', ...task], { env: { ...process.env, LD_PRELOAD: '' } })
      t.equal(stdout, 'ok\n', `${threads} threads`)
      t.equal(stderr, '')
    }
  })
}
