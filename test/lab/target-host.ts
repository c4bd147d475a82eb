import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import t from 'tap'
import { verbsNode } from './verbs-node.js'

/** What the other machine has to know of this one. */
export interface TargetHost {
  readonly address: string
  readonly command: string
  readonly identity: string
  readonly knownHosts: string
}

// A target for the machine at the other end of the wire; serves orders of scripts/vm/hosts.ts until it is cut off.
t.test('this machine is a target until its plug is pulled', async t => {
  const { node } = await verbsNode(t, {}, '/mnt/disk')
  const host: TargetHost = {
    ...{ address: node.address, command: node.command },
    identity: readFileSync(node.identityFile, 'utf8'),
    knownHosts: readFileSync(node.knownHostsFile, 'utf8'),
  }
  console.log(`node ${JSON.stringify(host)}`)
  for await (const command of createInterface({ input: process.stdin })) {
    const { status } = spawnSync('sh', ['-c', command], { timeout: 30_000 })
    console.log(`done ${status}`)
  }
})
