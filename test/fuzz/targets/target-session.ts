import { deepEqual, ok } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, seededRandom } from '../../../core/index.js'
import { encodeControl } from '../../../wire/index.js'
import { sessions } from '../../fixture/vectors.js'
import { bed, talk } from '../../target/session-bed.js'
import { toTarget } from '../control-seeds.js'
import type { FuzzTarget } from '../fuzz-target.js'

/** Waits for lanes and for an initiator that is silent are over at once; only what never should last still lasts. */
const hurried: Clock = {
  nowMs: () => 0,
  after(delayMs, callback) {
    if (delayMs < 1000) queueMicrotask(callback)
    return () => {}
  },
}

const folder = mkdtempSync(join(tmpdir(), 'rpmem-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const name of ['pools', 'parts']) mkdirSync(join(folder, name))
const it = bed({ testdir: () => folder }, { clock: hurried, random: seededRandom(1) })

const pmdk = sessions().map(({ bursts }) =>
  Buffer.concat(bursts.filter(({ from }) => from === 'initiator').map(({ bytes }) => bytes)),
)
const rpmem = Buffer.concat(toTarget.map(encodeControl))

/** The lowest bit of the first byte is the dialect, the others the size of the pieces in which the rest arrives. */
export const target: FuzzTarget = {
  claim: 'Whatever an initiator sends, the daemon ends its session in order and leaves no mapping behind',
  seeds: [
    ...pmdk.map(bytes => new Uint8Array([254, ...bytes])),
    new Uint8Array([255, ...rpmem]),
    new Uint8Array([9, ...rpmem]),
  ],
  words: [
    'single.set',
    'nohdrs.set',
    'hdr1.set',
    'rep.set',
    'bad.set',
    '../',
    'sub/',
    '"remove":true',
    '"attributes":null',
  ],
  maxSize: 2048,
  smokeRuns: 5_000,
  async run(input) {
    const [first = 0] = input
    const size = Math.max(1, first >> 1)
    const { input: channel, ended, rest } = talk(it.node, first & 1 ? 'rpmem' : 'pmdk')
    for (let at = 1; at < input.length; at += size) channel.write(input.slice(at, at + size))
    channel.end()
    const code = await ended
    await rest()
    ok([0, 1, 255].includes(code), `the exit code is one of rpmemd(1), not ${code}`)
    ok(it.released(), 'every mapping is closed')
    deepEqual(
      it.logged.filter(([, message]) => /bug/.test(message)),
      [],
    )
    it.logged.length = 0
    it.storage.mapped.length = 0
    for (const name of it.partFiles()) rmSync(join(it.parts, name))
  },
}
