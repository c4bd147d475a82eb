import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { MiB, RpmemError } from '../../core/index.js'
import { BufferMemory } from '../../fabric-native/buffer-memory.js'
import type { TargetNode } from '../../target/target-node.js'
import { session as captured, sessions } from '../fixture/vectors.js'
import { readVector } from '../pool/header-vectors.js'
import { type Bed, bed, failingFabric, type Talk, talk, writePart } from './session-bed.js'

/** How a captured session is repeated against our daemon, and where our answer differs on purpose. */
interface Replay {
  readonly prepare?: (bed: Bed) => void
  /** Lanes that the initiator connects after the answer to create or open; 0: it cannot. */
  readonly lanes?: number
  readonly node?: (bed: Bed) => Partial<TargetNode>
  /** Our bytes, in hex, instead of the captured ones after the first word. */
  readonly instead?: string
  /** Our exit code instead of the captured one. */
  readonly exit?: number
  /** Part files that exist afterwards. */
  readonly parts?: readonly string[]
}

const header = readVector('01-remote-single-part.txt')[0]?.page
const made = (bed: Bed) => writePart(bed, 'single', 8 * MiB, header)
const madeAndBusy = (bed: Bed) => {
  made(bed)
  bed.storage.busy.add(statSync(join(bed.parts, 'single')).ino)
}
const plain = (bed: Bed) => writePart(bed, 'nohdrs')
const noListening = new RpmemError('ERR_PORT_UNREACHABLE', 'the address is not one of this node')

const single = { parts: ['single'] }
const kept = { prepare: made, ...single }
const refused = { parts: [] }

const replays: Readonly<Record<string, Replay>> = {
  '01-create-attr': { lanes: 2, ...single },
  '02-open-attr': { lanes: 2, ...kept },
  '03-set-attr': { lanes: 1, ...kept },
  '05-create-exists': kept,
  '06-open-busy': { prepare: madeAndBusy, ...single },
  '07-create-busy': { prepare: madeAndBusy, ...single },
  '12-create-null-attr-nohdrs': { lanes: 2, parts: ['nohdrs'] },
  '13-open-nohdrs': { prepare: plain, lanes: 2, parts: ['nohdrs'] },
  '14-set-attr-null-nohdrs': { prepare: plain, lanes: 2, parts: ['nohdrs'] },
  '16-create-attr-on-nohdrs': refused,
  '17-create-null-attr-with-headers': refused,
  '18-create-missing-set': refused,
  '19-open-missing-set': refused,
  '20-create-absolute-name': refused,
  '22-create-small-part': refused,
  '23-create-set-with-replica': refused,
  '24-create-1024-lanes': { lanes: 16, ...single },
  '25-create-apm': { lanes: 1, node: () => ({ apmEnabled: true }), prepare: bed => bed.storage.dax(), ...single },
  '27-create-inband-failure': refused,
  '30-create-singlehdr-mismatch': refused,
  '31-create-singlehdr': { lanes: 1, parts: ['hdr1.0', 'hdr1.1'] },
  '32-obj-create': { lanes: 16, parts: ['obj'] },
  '40-raw-version-0.2': { instead: '', ...refused },
  '41-raw-provider-verbs': refused,
  '42-raw-provider-3': { instead: '', ...refused },
  '43-raw-unknown-type': { instead: '', ...refused },
  // PMDK's daemon aborts; ours answers BADNLANES.
  '44-raw-nlanes-0': { instead: '0000000400000002000000000000002c'.padEnd(88, '0'), exit: 0, ...refused },
  '45-raw-name-not-terminated': { instead: '', ...refused },
  '47-raw-size-too-small': { instead: '', ...refused },
  '48-raw-close-first': refused,
  // PMDK's daemon aborts; ours answers FATAL and goes on until the input ends.
  '49-raw-set-attr-first': { instead: '00000006000000080000000000000010', exit: 1, ...refused },
  '52-raw-close-without-inband': refused,
  '53-raw-eof-after-status': { instead: '', ...refused },
  '54-raw-no-ssh-connection': { node: () => ({ connection: undefined }), ...refused },
  '55-raw-bad-local-address': { node: bed => ({ fabric: failingFabric(bed.fabric, noListening) }), ...refused },
}

/** No conversation with the daemon, or one that is repeated by a test of its own. */
const elsewhere = [
  '08-remove-busy',
  '09-remove',
  '10-remove-missing-part',
  '11-remove-force-poolset',
  '28-initial-status-error',
  '29-initial-status-missing',
  '51-raw-set-attr-zero-on-headers',
]

t.test('every captured session is repeated here or by a test of its own', async t => {
  const names = sessions().map(({ name }) => name)
  t.strictSame(names, [...Object.keys(replays), ...elsewhere].sort())
})

for (const [name, replay] of Object.entries(replays)) {
  const title = captured(`${name}.txt`).comments[0]?.slice(2)
  t.test(`${name}: ${title}`, async t => {
    const it = bed(t)
    replay.prepare?.(it)
    const daemon = talk({ ...it.node, ...replay.node?.(it) }, 'pmdk')
    const { seen, expected } = await converse(name, replay, it, daemon)
    t.strictSame(seen, expected)
    t.equal(await daemon.ended, replay.exit ?? exitOf(name))
    t.strictSame(it.partFiles(), replay.parts)
    t.ok(it.released(), 'nothing is left mapped')
  })
}

/** Plays the initiator's bytes; both conversations as hex, without the values that differ from run to run. */
async function converse(name: string, replay: Replay, it: Bed, daemon: Talk) {
  const seen: string[] = []
  const expected: string[] = []
  for (const { from, bytes } of captured(`${name}.txt`).bursts) {
    if (from === 'initiator') {
      daemon.input.write(bytes)
    } else if (seen.length === 0 || replay.instead === undefined) {
      const answer = await daemon.read(bytes.length)
      if (replay.lanes && isReady(answer)) await connectLanes(it, answer, replay.lanes)
      seen.push(masked(answer))
      expected.push(masked(bytes))
    }
  }
  daemon.input.end()
  const rest = Buffer.from(await daemon.rest()).toString('hex')
  return { seen: [...seen, rest], expected: [...expected, replay.instead ?? ''] }
}

const isReady = (answer: Uint8Array): boolean => answer.length >= 44 && answer.subarray(0, 4).every(byte => byte === 0)

async function connectLanes(it: Bed, answer: Uint8Array, lanes: number): Promise<void> {
  const port = new DataView(answer.buffer, answer.byteOffset).getUint32(16)
  const memory = new BufferMemory(8 * MiB)
  const shared = { provider: 'sockets', dialect: 'pmdk', method: 'GPSPM', rkey: 1n, raddr: 0n } as const
  await it.fabric.connect({ ...shared, port, address: '127.0.0.1', memory, size: 8 * MiB, lanes, inlineSize: 8192 })
}

/** Port, key and address differ from run to run. */
function masked(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return isReady(bytes) ? `${hex.slice(0, 32)}port....${hex.slice(40, 48)}${'key.....addr....'}${hex.slice(80)}` : hex
}

function exitOf(name: string): number {
  const line = captured(`${name}.txt`).comments.find(comment => /exit status/.test(comment))
  return Number(line?.match(/exit status (\d+)/)?.[1])
}

t.test('attributes of zeros for a pool with headers are refused where PMDK’s daemon crashes', async t => {
  const it = bed(t)
  const daemon = talk(it.node, 'pmdk')
  const [, create, , setAttributes] = captured('51-raw-set-attr-zero-on-headers.txt').bursts
  if (!create || !setAttributes) throw new Error('the vector has four bursts')
  daemon.input.write(create.bytes)
  t.ok(isReady((await daemon.read(4 + 44)).subarray(4)))
  daemon.input.write(setAttributes.bytes)
  t.equal(Buffer.from(await daemon.read(16)).toString('hex'), '0000000d000000080000000000000010', 'POOL_CFG')
  daemon.input.end()
  t.equal(await daemon.ended, 1)
  t.strictSame(it.partFiles(), [], 'no lane was ever connected')
})

t.test('the header written by create is PMDK’s but for its time and checksum', async t => {
  const it = bed(t)
  const daemon = talk(it.node, 'pmdk')
  await converse('01-create-attr', { lanes: 2 }, it, daemon)
  const page = readFileSync(join(it.parts, 'single')).subarray(0, 4096)
  const masked = (bytes: Uint8Array) => Buffer.from(bytes).fill(0, 0x78, 0x80).fill(0, 0xff8).toString('hex')
  t.equal(masked(page), masked(header ?? new Uint8Array()))
})
