import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { MiB, pageSize, seededRandom } from '../../core/index.js'
import { Pool, type PoolCreateOptions } from '../../initiator/index.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { localSet, TargetHost } from './target-host.js'

/** What a test writes by every method of a pool, and what must be found afterwards. */
export class Script {
  readonly expected: Buffer
  readonly #pool: Pool
  readonly #random = seededRandom(7)

  constructor(pool: Pool) {
    this.#pool = pool
    this.expected = Buffer.alloc(pool.size)
  }

  async run(t: { equal(found: unknown, wanted: unknown): unknown }): Promise<void> {
    const pool = this.#pool
    const persisted = await pool.persist(...this.#store(0, 64))
    t.equal(persisted.replicas.length, pool.replicas.length)
    pool.persistSync(...this.#store(4096, 8))
    pool.persistSync(...this.#store(pool.size - 3, 3))
    pool.persistSync(...this.#store(2 * MiB - pageSize - 100, 200))
    await pool.persist(...this.#store(1 * MiB, 1_000_000))
    for (let at = 0; at < 16; at++) pool.flush(...this.#store(8192 + at * 512, 64))
    pool.drainSync()
    for (let at = 0; at < 16; at++) pool.flush(...this.#store(32_768 + at * 512, 64))
    await pool.drain()
    await pool.deepPersist(...this.#store(65_536, 4096))
    pool.deepPersistSync(...this.#store(73_728, 4096))
    await this.#copyingForms()
    await Promise.all(Array.from({ length: 64 }, (_, at) => pool.persist(...this.#store(200_000 + at * 64, 64))))
  }

  async #copyingForms(): Promise<void> {
    const { expected } = this
    const pool = this.#pool
    const bytes = this.#random.bytes(3000)
    await pool.memcpyPersist(100_001, bytes)
    pool.memcpyPersistSync(110_003, bytes)
    expected.set(bytes, 100_001)
    expected.set(bytes, 110_003)
    await pool.memmovePersist(100_101, 100_001, 2500)
    expected.copyWithin(100_101, 100_001, 102_501)
    pool.memmovePersistSync(109_900, 110_003, 2500)
    expected.copyWithin(109_900, 110_003, 112_503)
    await pool.memsetPersist(120_000, 0xaa, 5000)
    pool.memsetPersistSync(126_000, 0xbb, 333)
    expected.fill(0xaa, 120_000, 125_000).fill(0xbb, 126_000, 126_333)
    pool.memcpyPersistSync(130_000, bytes, { noDrain: true })
    pool.drainSync()
    pool.memcpyPersistSync(140_000, bytes, { noFlush: true })
    pool.persistSync(140_000, bytes.length)
    expected.set(bytes, 130_000)
    expected.set(bytes, 140_000)
  }

  #store(offset: number, length: number): [offset: number, length: number] {
    const bytes = this.#random.bytes(length)
    this.#pool.view(offset, length).set(bytes)
    this.expected.set(bytes, offset)
    return [offset, length]
  }
}

/** Bytes of a replica from its part files, headers taken away. */
type Files = readonly (readonly [path: string, header: number])[]
const joined = (files: Files): Buffer =>
  Buffer.concat(files.map(([path, header]) => readFileSync(path).subarray(header)))

/** What PMDK's own tool reads in the pool header; behind it `-f obj` looks for a heap that our pools do not have. */
function pmempoolSays(path: string): string {
  const text = execFileSync('pmempool', ['info', '-f', 'obj', path], { encoding: 'latin1', timeout: 20_000 })
  return text.slice(0, text.indexOf('PMEM OBJ Header'))
}

interface Shape {
  readonly name: string
  readonly options: readonly string[]
  readonly local: readonly (readonly [size: string, name: string])[]
  readonly mirror?: readonly (readonly [size: string, name: string])[]
  readonly targets: Readonly<Record<string, readonly (readonly [size: string, name: string])[]>>
}

export const shapes: readonly Shape[] = [
  {
    name: 'one local part and two targets',
    options: [],
    local: [['8M', 'master']],
    targets: { a: [['8M', 'replica']], b: [['8M', 'replica']] },
  },
  {
    name: 'several parts at every end, divided differently',
    options: [],
    local: [
      ['2M', 'm0'],
      ['2M', 'm1'],
      ['4M', 'm2'],
    ],
    targets: {
      a: [
        ['4M', 'r0'],
        ['2M', 'r1'],
        ['2M', 'r2'],
      ],
      b: [['8M', 'r0']],
    },
  },
  {
    name: 'SINGLEHDR',
    options: ['OPTION SINGLEHDR'],
    local: [
      ['4M', 'm0'],
      ['4M', 'm1'],
    ],
    targets: {
      a: [
        ['2M', 'r0'],
        ['6M', 'r1'],
      ],
    },
  },
  {
    name: 'NOHDRS',
    options: ['OPTION NOHDRS'],
    local: [
      ['4M', 'm0'],
      ['4M', 'm1'],
    ],
    targets: { a: [['8M', 'r0']], b: [['8M', 'r0']] },
  },
  {
    name: 'a local replica between master and targets',
    options: [],
    local: [['8M', 'master']],
    mirror: [
      ['4M', 'l0'],
      ['6M', 'l1'],
    ],
    targets: { a: [['10M', 'replica']], b: [['8M', 'replica']] },
  },
]

function headersOf(options: readonly string[], parts: number): number[] {
  const kind = options[0]?.split(' ')[1]
  return Array.from({ length: parts }, (_, part) => (kind === 'NOHDRS' || (kind && part > 0) ? 0 : pageSize))
}

/** Creates, writes by every method, compares every file, asks pmempool, opens again. */
export async function proveShape(
  t: Test,
  shape: Shape,
  remote: PoolCreateOptions['remote'],
  provider: string,
): Promise<void> {
  const host = await TargetHost.start(t)
  const local = (name: string) => join(host.folder, 'local', name)
  const lineOf = ([size, name]: readonly [string, string]) => `${size} ${local(name)}`
  const set = localSet(
    join(host.folder, 'local'),
    ...shape.options,
    ...shape.local.map(lineOf),
    ...(shape.mirror ? ['REPLICA', ...shape.mirror.map(lineOf)] : []),
    ...Object.entries(shape.targets).map(([name, parts]) => host.replica(name, parts, ...shape.options)),
  )
  const options = { signature: 'PROOF', remote: { ...host.options, ...remote } }
  const pool = await Pool.create(set, options)
  t.teardown(() => pool.close())
  const locals = shape.mirror ? ['local', 'local'] : ['local']
  t.strictSame(
    pool.replicas.map(({ kind }) => kind),
    [...locals, ...Object.keys(shape.targets).map(() => 'remote')],
  )
  t.match(host.log(), new RegExp(` over ${provider} on port `))
  const script = new Script(pool)
  await script.run(t)
  const daemons = host.daemons()
  t.equal(daemons.length, Object.keys(shape.targets).length, 'each target has its daemon')
  await pool.close()
  t.not(await host.allEnd(), undefined, 'the daemons end with the pool')

  const withHeaders = (paths: string[]): Files => {
    const headers = headersOf(shape.options, paths.length)
    return paths.map((path, part) => [path, headers[part] ?? 0])
  }
  const replicas: [string, string[]][] = [
    ['master', shape.local.map(([, name]) => local(name))],
    ...(shape.mirror ? [['mirror', shape.mirror.map(([, name]) => local(name))] as [string, string[]]] : []),
    ...Object.entries(shape.targets).map(([target, parts]): [string, string[]] => [
      target,
      parts.map(([, name]) => host.part(target, name)),
    ]),
  ]
  for (const [name, paths] of replicas) {
    const content = joined(withHeaders(paths)).subarray(0, script.expected.length)
    sameBytes(t, content, script.expected, `${name} holds every byte`)
  }
  if (!shape.options.includes('OPTION NOHDRS')) {
    for (const [name, paths] of replicas) {
      const text = pmempoolSays(paths[0] ?? '')
      t.match(text, /^Checksum +: .*\[OK\]$/m, `pmempool finds the checksum of ${name} right`)
      t.match(text, /^Signature +: PROOF$/m)
      t.notMatch(text, /\[wrong!/)
    }
  }

  const again = await Pool.open(set, options)
  const found = Buffer.alloc(again.size)
  again.read(0, found)
  sameBytes(t, found, script.expected, 'the pool opens again with what was written')
  again.memsetPersistSync(0, 0x11, 64)
  await again.close()
  for (const [target, parts] of Object.entries(shape.targets)) {
    const at = headersOf(shape.options, parts.length)[0] ?? 0
    const content = host.content(target, parts[0]?.[1] ?? '').subarray(at, at + 64)
    t.ok(content.equals(Buffer.alloc(64, 0x11)), `${target} follows after the opening`)
  }
  t.notMatch(host.log(), /\[err\]| err /, 'no daemon complained')
}
