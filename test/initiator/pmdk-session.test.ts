import t, { type Test } from 'tap'
import { assert, systemClock } from '../../core/index.js'
import type { Session } from '../../initiator/session.js'
import { startSession } from '../../initiator/session-start.js'
import { decodePmdkRequest, type PmdkCreate, type PmdkOpen } from '../../wire/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { sessions, type Session as Vector } from '../fixture/vectors.js'
import { ScriptedShell } from './scripted-shell.js'

/** The captured daemon: answers each request with the captured bytes and keeps what it was sent. */
function capturedDaemon(vector: Vector) {
  const received: Buffer[] = []
  const shell = new ScriptedShell(far => {
    const script = [...vector.bursts]
    const speak = () => {
      while (script[0]?.from === 'target') far.output.write(script.shift()?.bytes)
      if (script.length === 0) far.exit({ exitCode: 0 })
    }
    speak()
    let expected = script[0]?.bytes.length ?? 0
    far.input.on('data', (chunk: Buffer) => {
      received.push(chunk)
      expected -= chunk.length
      if (expected > 0) return
      script.shift()
      speak()
      expected += script[0]?.bytes.length ?? 0
    })
  })
  return { shell, received }
}

const start = (shell: ScriptedShell) =>
  startSession({ shell, command: 'rpmemd', clock: systemClock, startDeadlineMs: 5000, openDeadlineMs: 5000 })

const poolRequest = (request: PmdkCreate | PmdkOpen) => ({
  poolSet: request.poolSet,
  size: request.poolSize,
  lanes: request.lanes,
  provider: request.provider,
  inlineSize: request.bufferSize,
})

/** Asks again what librpmem asked then. */
async function repeat(session: Session, bytes: Uint8Array): Promise<unknown> {
  const request = decodePmdkRequest(bytes)
  switch (request.type) {
    case 'create':
      return session.create(poolRequest(request), request.attributes)
    case 'open':
      return session.open(poolRequest(request))
    case 'close':
      return session.close(request.remove)
    case 'setAttributes':
      return session.setAttributes(request.attributes)
  }
}

const statusOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)

async function conversation(t: Test, vector: Vector): Promise<void> {
  const { shell, received } = capturedDaemon(vector)
  const session = await start(shell)
  const requests = vector.bursts.filter(({ from }) => from === 'initiator')
  const answers = vector.bursts.filter(({ from }) => from === 'target').slice(1)
  for (const [index, { bytes }] of requests.entries()) {
    const status = statusOf(answers[index]?.bytes ?? new Uint8Array(4))
    if (status === 0) await repeat(session, bytes)
    else await t.rejects(repeat(session, bytes), { name: 'RpmemError', facts: { value: status } })
  }
  sameBytes(t, Buffer.concat(received), Buffer.concat(requests.map(({ bytes }) => bytes)), 'the bytes of librpmem')
}

/** Sessions in which an initiator says nothing that ours would say, by what they show instead. */
const unspoken = {
  'removals have no messages': ['08-remove-busy', '09-remove', '10-remove-missing-part', '11-remove-force-poolset'],
  'the daemon did not start': ['28-initial-status-error', '29-initial-status-missing'],
  'a request that is malformed': [
    '40-raw-version-0.2',
    '42-raw-provider-3',
    '43-raw-unknown-type',
    '45-raw-name-not-terminated',
    '47-raw-size-too-small',
  ],
  'the daemon died of it': ['44-raw-nlanes-0', '49-raw-set-attr-first', '51-raw-set-attr-zero-on-headers'],
  'nothing was asked': ['53-raw-eof-after-status'],
}
const silent: readonly string[] = Object.values(unspoken).flat()
const spoken = sessions().filter(({ name }) => !silent.includes(name))

t.test('every captured session is repeated, or is known to have nothing for an initiator to say', async t => {
  t.strictSame(
    sessions().map(({ name }) => name),
    [...spoken.map(({ name }) => name), ...silent].sort(),
  )
  t.ok(spoken.every(({ bursts }) => bursts.some(({ from }) => from === 'initiator')))
})

function captured(name: string): Vector {
  const vector = sessions().find(session => session.name === name)
  assert(vector !== undefined, `the session ${name} was captured`)
  return vector
}

for (const vector of spoken) {
  t.test(`we say to the daemon of ${vector.name} what librpmem said`, t => conversation(t, vector))
}

t.test('the grant of a captured create is read in full', async t => {
  const vector = captured('01-create-attr')
  const session = await start(capturedDaemon(vector).shell)
  const grant = await repeat(session, vector.bursts[1]?.bytes ?? new Uint8Array())
  t.match(grant, { port: 0xaecb, method: 'GPSPM', rkey: 1n, raddr: 0x7fc201e00000n, lanes: 2, address: undefined })
  t.match(grant, { attributes: { signature: Buffer.from('VECTOR01'), major: 0x01020304, roCompat: 0xa5 } })
})

t.test('a start-up status and a missing one are told apart', async t => {
  const failed = start(capturedDaemon(captured('28-initial-status-error')).shell)
  await t.rejects(failed, { code: 'ERR_RPMEMD_STARTUP', errno: 22 })
  await t.rejects(start(capturedDaemon(captured('29-initial-status-missing')).shell), { code: 'ERR_RPMEMD_EXITED' })
})

t.test('requests of several callers go one after another', async t => {
  const vector = captured('03-set-attr')
  const { shell, received } = capturedDaemon(vector)
  const session = await start(shell)
  const requests = vector.bursts.filter(({ from }) => from === 'initiator').map(({ bytes }) => bytes)
  await Promise.all(requests.map(bytes => repeat(session, bytes)))
  sameBytes(t, Buffer.concat(received), Buffer.concat(requests), 'in order')
})
