import fc from 'fast-check'
import t from 'tap'
import { loadBinding } from '../../fabric-native/binding.js'
import { status } from '../../fabric-native/memory-binding.js'

const native = loadBinding()
type Call = (...argument: unknown[]) => unknown

/** Functions of the addon that are harmless with any argument: without those that act on descriptors. */
const memoryCalls = Object.entries(native as unknown as Record<string, Call>).filter(([name]) =>
  /^(flush|drain|persist|deepPersist|read|copyIn|move|fill|copyFrom|(describe|view|close|share|attach)Memory|memory\w+|map\w+)$/.test(
    name,
  ),
)
const answersNumber = /^(flush|drain|persist|deepPersist|read|copyIn|move|fill|copyFrom)$/

t.test('every call refuses what is not its handle', async t => {
  t.ok(memoryCalls.length >= 18, `${memoryCalls.length} calls`)
  for (const [name, call] of memoryCalls.filter(([name]) => answersNumber.test(name))) {
    for (const wrong of [undefined, null, 0, 'memory', {}, [], () => {}, Symbol('memory'), new Proxy({}, {})]) {
      t.equal(call(wrong, 0, 0, 0, 0), status.notAMemory, name)
    }
    t.equal(call(), status.notAMemory, name)
  }
})

t.test('every call survives any arguments', async t => {
  const open = native.mapAnonymous(4096)
  const closed = native.mapAnonymous(4096)
  native.closeMemory(closed)
  const detached = new Uint8Array(8)
  structuredClone(detached, { transfer: [detached.buffer] })
  const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 4095, 4096, 2 ** 32, 2 ** 53, 2 ** 64))
  const bytes = fc.constantFrom(
    detached,
    new Uint8Array(0),
    new Uint8Array(16),
    new Uint8Array(new SharedArrayBuffer(16)),
    new Float32Array(4),
    new DataView(new ArrayBuffer(8)),
  )
  const argument = fc.oneof(fc.constantFrom<unknown>(open, open, open, closed), number, bytes, fc.anything())
  const outcome = fc.check(
    fc.property(fc.constantFrom(...memoryCalls), fc.array(argument, { maxLength: 6 }), ([name, call], values) => {
      // What maps for real would fill the address space; what closes would end the test.
      if (name === 'mapAnonymous' || (name === 'closeMemory' && values[0] === open)) return true
      try {
        const answer = call(...values)
        return !answersNumber.test(name) || Number.isInteger(answer)
      } catch (error) {
        return error instanceof Error
      }
    }),
    { seed: 7, numRuns: 5000 },
  )
  t.equal(outcome.failed, false, JSON.stringify(outcome.counterexamplePath))
  t.equal(native.memoryFailure(open), 0)
  native.closeMemory(open)
  native.closeMemory(open)
  t.equal(native.persist(open, 0, 8), status.closed)
})

t.test('descriptors are checked as well', async t => {
  for (const wrong of [undefined, -1, 0.5, Number.NaN, '1', {}, 2 ** 31]) {
    const fd = wrong as number
    for (const call of [native.lockFile, native.fileSystemKind, native.mappableSize]) {
      t.throws(() => call(fd), { code: 9 }, `${call.name} of ${String(wrong)}`)
    }
    t.throws(() => native.allocateFileSync(fd, 4096), { code: 9 })
    t.throws(() => native.allocateFile(fd, 4096), { code: 9 })
  }
  for (const length of [0, -1, 0.5, Number.NaN, 2 ** 53, undefined]) {
    t.throws(() => native.allocateFileSync(1_000_000, length as number), { code: 22 }, `length ${length}`)
  }
})
