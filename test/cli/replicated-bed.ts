import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from '../../cli/command-line.js'
import { LoopbackNodes } from '../../cli/loopback-node.js'
import { FakeIo } from './fake-io.js'

export const rpmem = async (...argv: string[]) => {
  const io = new FakeIo()
  const code = await run(argv, io)
  return { code, out: io.stdout, err: io.stderr }
}

/** A pool of two copies; `options` stand in both pool sets. */
export async function replicatedBed(t: Test, ...options: string[]) {
  const dir = t.testdir({})
  const nodes = await LoopbackNodes.start(dir, ['node2', 'node3'])
  t.teardown(() => nodes.close())
  const set = join(dir, 'a.set')
  const remoteSet = join(nodes.poolSetDir('node2'), 'a.set')
  const remotePart = join(nodes.poolSetDir('node2'), 'part')
  writeFileSync(
    set,
    ['PMEMPOOLSET', ...options, `8M ${dir}/part`, `REPLICA ${nodes.address('node2')} a.set`, ''].join('\n'),
  )
  writeFileSync(remoteSet, ['PMEMPOOLSET', ...options, `8M ${remotePart}`, ''].join('\n'))
  const flags = ['-i', nodes.identityFile, '--known-hosts', nodes.knownHostsFile, '--ssh-config', '/dev/null']
  const created = await rpmem('create', set, ...flags)
  if (created.code !== 0) throw new Error(created.err)
  return { dir, set, remoteSet, remotePart, flags, nodes }
}

export function damage(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}
