import { ok } from 'node:assert/strict'
import { type Clock, isRpmemError } from '../../../core/index.js'
import { startSession } from '../../../initiator/session-start.js'
import { encodeControl, encodeFirstWord } from '../../../wire/index.js'
import { sessions } from '../../fixture/vectors.js'
import { ScriptedShell } from '../../initiator/scripted-shell.js'
import { failure, hello, ready } from '../control-seeds.js'
import type { FuzzTarget } from '../fuzz-target.js'

/** A deadline is so many turns of the event loop away. */
const hurried: Clock = {
  nowMs: () => 0,
  after(delayMs, callback) {
    let left = delayMs < 1000 ? 4 : 16
    const turn = () => {
      if (left-- > 0) pending = setImmediate(turn)
      else callback()
    }
    let pending = setImmediate(turn)
    return () => clearImmediate(pending)
  },
}

/** What the daemon says, cut where the initiator speaks in between. */
const separator = Uint8Array.of(0xff, 0xfe)
const script = (...says: readonly (readonly Uint8Array[])[]): Uint8Array =>
  new Uint8Array(Buffer.concat(says.flatMap((frames, at) => (at === 0 ? frames : [separator, ...frames]))))

const pool = { poolSet: 'a.set', size: 4096, lanes: 1, inlineSize: 0 } as const
const start = [encodeFirstWord('rpmem'), encodeControl(hello)]
const done = (id: number) => [encodeControl({ type: 'done', id })]

export const target: FuzzTarget = {
  claim: 'Whatever a daemon says, each call of an initiator ends, and what it throws is in the catalogue',
  seeds: [
    script(
      start,
      [],
      [encodeControl(ready)],
      done(2),
      [encodeControl({ type: 'pong', id: 3, activeLanes: 1 })],
      done(4),
    ),
    script(start, [], [encodeControl(failure)]),
    script([encodeFirstWord({ errno: 13 })]),
    ...sessions().map(({ bursts }) =>
      script(...bursts.filter(({ from }) => from === 'target').map(({ bytes }) => [bytes])),
    ),
  ],
  words: ['Welcome\n', '\u00ff\u00fe'],
  maxSize: 2048,
  smokeRuns: 20_000,
  async run(input) {
    const { shell, exit } = shellOf(input)
    const session = await expected(startSession({ shell, command: 'rpmemd', clock: hurried }))
    if (session === undefined) return
    session.onLost(() => {})
    const provider = session.dialect === 'pmdk' ? 'sockets' : 'tcp'
    await expected(session.create({ ...pool, provider }, undefined))
    await expected(session.setAttributes(undefined))
    // A ping has no deadline of its own: its watchdog ends the session, here as the daemon ends.
    const pong = session.ping && expected(session.ping())
    hurried.after(1000, exit)
    await pong
    await expected(session.close(false))
  },
}

function shellOf(input: Uint8Array): { shell: ScriptedShell; exit: () => void } {
  const says = pieces(input)
  let end = () => {}
  const shell = new ScriptedShell(({ input: heard, output, exit }) => {
    end = () => exit({ exitCode: 0 })
    const next = () => {
      const piece = says.shift()
      if (piece !== undefined && piece.length > 0) output.write(piece)
      if (says.length === 0) end()
    }
    heard.on('data', () => says.length > 0 && next())
    next()
  })
  return { shell, exit: () => end() }
}

function pieces(input: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = []
  const bytes = Buffer.from(input)
  let from = 0
  for (let to = bytes.indexOf(separator); to >= 0; to = bytes.indexOf(separator, from)) {
    found.push(input.slice(from, to))
    from = to + separator.length
  }
  return [...found, input.slice(from)]
}

async function expected<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    ok(isRpmemError(error), error instanceof Error ? (error.stack ?? '') : String(error))
    return undefined
  }
}
