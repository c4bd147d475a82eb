import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { sameBytes } from '../fixture/same-bytes.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'
import { storageKinds } from './storage-kind.js'
import { SystemCalls } from './system-calls.js'
import { pattern, verbsNode } from './verbs-node.js'

const child = fileURLToPath(new URL('persist-child.js', import.meta.url))
const persists = 99

for (const { name, folder, method, synchronous } of storageKinds) {
  const how = method === 'msync' ? 'by msync' : 'without a system call'

  t.test(`at the initiator a persist to ${name} is done ${how}`, async t => {
    const scratch = temporaryFolder(t)
    const [set, trace, part] = [join(scratch, 'a.set'), join(scratch, 'trace'), join(folder, 'initiator')]
    t.teardown(() => rmSync(part, { force: true }))
    writeFileSync(set, `PMEMPOOLSET\n8M ${part}\n`)
    const words = [...SystemCalls.words(trace).slice(1), process.execPath, child, set, String(persists)]
    const { status, stdout, stderr } = spawnSync('strace', words, { encoding: 'utf8', timeout: 120_000 })
    t.equal(status, 0, stderr)
    t.equal(stdout, `${method}\n`)
    const during = new SystemCalls(trace, '/lab-begins', '/lab-ends')
    t.equal(during.count('msync') + during.count('fdatasync') >= persists, method === 'msync', 'flushed by the kernel')
    if (method !== 'msync')
      for (const call of ['msync', 'fsync', 'fdatasync', 'sync_file_range'] as const)
        t.equal(during.count(call), 0, call)
    t.equal(new SystemCalls(trace).synchronousMappings > 0, synchronous, 'mapped with MAP_SYNC')
  })

  t.test(`at the target a persist to ${name} is done ${how}`, async t => {
    const bed = await verbsNode(t, {}, folder)
    const [trace, command] = [join(bed.node.folder, 'trace'), join(bed.node.folder, 'traced')]
    writeFileSync(command, `#!/bin/sh\nexec ${SystemCalls.words(trace).join(' ')} ${bed.node.command} "$@"\n`)
    chmodSync(command, 0o755)
    const pool = await bed.create({ command })
    bed.memory.view(4096, 6400).set(pattern(6400))
    for (let n = 0; n < persists; n++) pool.persistSync(4096 + n * 64, 64)
    sameBytes(t, readFileSync(bed.part).subarray(4096, 4096 + persists * 64), pattern(persists * 64), 'in the part')
    await pool.close()
    t.match(bed.node.daemonLog(), new RegExp(`durable by ${method}`))
    const calls = new SystemCalls(trace)
    t.equal(calls.count('msync') >= persists, method === 'msync', 'flushed by the kernel')
    if (method !== 'msync') t.ok(calls.count('msync') < 10, 'but for the headers')
    t.equal(calls.synchronousMappings > 0, synchronous, 'mapped with MAP_SYNC')
    if (method === 'volatile') t.match(bed.node.daemonLog(), /nothing written to it survives a loss of power/)
    rmSync(bed.part, { force: true })
  })
}

t.test('what a pool on a device DAX takes is found out, and it is durable without a system call', async t => {
  const device = process.env.LAB_DAX ?? ''
  t.ok(existsSync(device), device)
  const scratch = temporaryFolder(t)
  const [set, trace] = [join(scratch, 'dax.set'), join(scratch, 'trace')]
  writeFileSync(set, `PMEMPOOLSET\nAUTO ${device}\n`)
  const words = [...SystemCalls.words(trace).slice(1), process.execPath, child, set, String(persists)]
  const { status, stdout, stderr } = spawnSync('strace', words, { encoding: 'utf8', timeout: 120_000 })
  t.equal(status, 0, stderr)
  t.equal(stdout, 'dax\n')
  const during = new SystemCalls(trace, '/lab-begins', '/lab-ends')
  for (const call of ['msync', 'fsync', 'fdatasync'] as const) t.equal(during.count(call), 0, call)
})
