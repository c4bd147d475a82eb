import { fstatSync } from 'node:fs'
import t, { type Test } from 'tap'
import { isRpmemError, MiB } from '../../core/index.js'
import { type Fabric, NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { RemotePool, readEnvironment } from '../../initiator/index.js'
import { encodeControl, encodeFirstWord } from '../../wire/index.js'
import { controlSamples } from '../fixture/control-samples.js'
import { freePort } from '../fixture/open-ssh-server.js'
import { type Field, put, response, responses } from '../pmdk-peer/control-bytes.js'
import { ScriptedShell } from './scripted-shell.js'

/** What a target grants is well-formed and absurd. Nobody listens where it says that its lanes are to be connected. */

const size = 8 * MiB

/** A daemon that answers the first request with `grant`, and every later one not at all. */
function granting(start: Uint8Array, grant: Uint8Array): ScriptedShell {
  return new ScriptedShell(far => {
    far.output.write(start)
    let asked = 0
    far.input.on('data', () => {
      if (asked++ === 0) far.output.write(grant)
      else far.exit({ exitCode: 1 })
    })
  })
}

/** libfabric's sockets take 0 for the descriptor of a connection that never was. */
const inputIsOpen = (): boolean => {
  try {
    fstatSync(0)
    return true
  } catch {
    return false
  }
}

async function openingOf(t: Test, shell: ScriptedShell, provider: 'tcp' | 'sockets'): Promise<unknown> {
  const memory = NativeMemory.anonymous(size)
  t.teardown(() => memory.close())
  const [report] = await nativeFabric.probe([provider], {})
  const fabric: Fabric = { ...nativeFabric, probe: async () => (report ? [report] : []) }
  const environment = readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' })
  const options = { shell, fabric, environment, lanes: 2, connectDeadlineMs: 2000 }
  const before = process.memoryUsage().rss
  const opened: unknown = await RemotePool.open('node2', 'a.set', memory, options).catch((error: unknown) => error)
  t.ok(
    process.memoryUsage().rss - before < 100 * MiB,
    'nothing is allocated for what is granted beyond what was asked for',
  )
  t.ok(inputIsOpen(), 'the standard input of this process stays open')
  return opened
}

/** A grant in which this field is bent. */
function bentGrant(port: number, field: string, value: bigint | number): Uint8Array {
  const sound = encodeControl({ ...controlSamples.ready, id: 1, address: '127.0.0.1', port })
  const body = JSON.parse(Buffer.from(sound).subarray(12).toString())
  const bent = typeof value === 'bigint' ? value.toString() : value
  const text = Buffer.from(JSON.stringify({ ...body, [field]: bent }))
  const frame = Buffer.concat([sound.subarray(0, 12), text])
  frame.writeBigUInt64BE(BigInt(frame.length), 4)
  return frame
}

const absurd: Readonly<Record<string, readonly (bigint | number)[]>> = {
  lanes: [3, 1025, 2 ** 32 - 1],
  inlineSize: [0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER],
  poolSize: [0, 1, Number.MAX_SAFE_INTEGER],
  rkey: [0n, 2n ** 64n - 1n],
  raddr: [0n, 2n ** 64n - 1n],
}

for (const [field, values] of Object.entries(absurd)) {
  t.test(`rpmem: ${field} of a grant that cannot be is a clear error`, async t => {
    for (const value of values) {
      const port = await freePort()
      const [report] = await nativeFabric.probe(['tcp'], {})
      const hello = { ...controlSamples.hello, offers: report ? [report] : [] }
      const start = Buffer.concat([encodeFirstWord('rpmem'), encodeControl(hello)])
      const error = await openingOf(t, granting(start, bentGrant(port, field, value)), 'tcp')
      t.ok(isRpmemError(error), `${field} ${value}: ${error}`)
    }
  })
}

for (const field of ['lanes', 'rkey', 'raddr'] as const) {
  t.test(`PMDK: ${field} of a grant that cannot be is a clear error`, async t => {
    const place: Field = responses.open.fields[field]
    for (const value of [0n, 3n, 2n ** BigInt(place.size * 8) - 1n]) {
      const inBand = { port: await freePort(), method: 1, rkey: 1, raddr: 4096, lanes: 2 }
      const grant = response('open', { ...inBand, attributes: new Uint8Array(104).fill(1) })
      put(grant, place, value)
      const error = await openingOf(t, granting(encodeFirstWord('pmdk'), grant), 'sockets')
      t.ok(isRpmemError(error), `${field} ${value}: ${error}`)
    }
  })
}
