import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Guest, lastWords } from './guest.js'
import { fileReports, type GuestTests, joinReports, testCommand } from './guest-tests.js'
import { imageFile } from './image.js'
import { labFolder } from './kernel.js'
import type { SuiteRun } from './suite.js'

const limitMs = 240_000
const tests: GuestTests = { files: ['hosts'], limitMs: 180_000, totalMs: limitMs }
/** A read of a port cannot be abandoned, and Node.js would wait for it at its end; that of a pipe can. */
const pipedInput = 'exec < <(cat)'

/**
 * Runs test/lab/hosts.test.ts in a guest, against test/lab/target-host.ts in another on the same wire. What the tests ask of
 * the other machine comes as a line of their output (test/lab/other-host.ts), is carried out, and answered by a line of input.
 */
export async function runHosts(): Promise<SuiteRun> {
  const path = join(labFolder, 'run', 'wire')
  const disk = imageFile(join(labFolder, 'run', 'hosts.disk'), 128, 'fresh')
  rmSync(path, { force: true })
  const machine = { rdma: true, processors: 1, limitMs }
  const target = new Guest({
    ...{ ...machine, name: 'target', host: 1, wire: { path, server: true }, disks: [disk.path] },
    // It serves for as long as the guest lives: without tap's limit, which passes while the other machine still boots.
    command: '. scripts/vm/storage\nTAP_TIMEOUT=0 exec node dist/test/lab/target-host.js 2>/dev/console',
  })
  try {
    const node = (await target.said(/^node /)).slice('node '.length)
    const wire = { path, server: false }
    const files = { 'node.json': node }
    const command = testCommand(tests, pipedInput)
    const initiator = new Guest({ ...machine, name: 'initiator', host: 2, wire, files, command })
    initiator.on('line', line => void obey(line, initiator, target))
    const end = await initiator.ended
    initiator.discard()
    if (end.exitCode === undefined) console.error(`the initiator ended early: ${lastWords(end)}`)
    return { tap: joinReports(fileReports(tests, end.output)), amount: { machines: 2 } }
  } finally {
    target.cut()
    await target.ended
    target.discard()
    disk.remove()
    rmSync(path, { force: true })
  }
}

async function obey(line: string, initiator: Guest, target: Guest): Promise<void> {
  const [, order, command = ''] = /^#lab (cut|run) ?(.*)$/.exec(line) ?? []
  if (order === 'run') {
    // A target that ends meanwhile has not done it.
    const answer = target.said(/^done /).catch(() => 'gone')
    target.send(command)
    initiator.send(await answer)
  } else if (order === 'cut') {
    target.cut()
    initiator.send('done 0')
  }
}
