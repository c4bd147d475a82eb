import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { verbsNode } from './verbs-node.js'

/** Words that run a command without the right to pass the limit on locked memory, and with 64 KiB of it. */
const confined = ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock', 'prlimit', '--memlock=65536']

t.test('a target that may lock 64 KiB says so, with the remedy', async t => {
  const { node, create } = await verbsNode(t)
  const command = join(node.folder, 'confined')
  writeFileSync(command, `#!/bin/sh\nexec ${confined.join(' ')} ${node.command} "$@"\n`)
  chmodSync(command, 0o755)
  await t.rejects(create({ command }), { code: 'ERR_LOCKED_MEMORY', hint: /RLIMIT_MEMLOCK/ })
  t.same(node.partFiles(), [])
})

t.test('an initiator that may lock 64 KiB says so, and leaves no pool', async t => {
  const { node } = await verbsNode(t)
  const child = fileURLToPath(new URL('locked-memory-child.js', import.meta.url))
  const [program = '', ...words] = [...confined, process.execPath, child, node.address, JSON.stringify(node.options)]
  const { stdout } = spawnSync(program, words, { encoding: 'utf8', timeout: 120_000 })
  t.equal(stdout, 'ERR_LOCKED_MEMORY\n')
  t.same(node.partFiles(), [])
})
