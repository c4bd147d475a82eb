import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MiB, type PoolAttributes, pageSize, zeroAttributes } from '../../core/index.js'
import { type FilePiece, NativeMemory } from '../../fabric-native/index.js'
import { Pool, RemotePool } from '../../initiator/index.js'
import { attributesOf, decodeHeader } from '../../pool/index.js'
import { pmempoolInfo } from '../fixture/pmempool-info.js'
import { type RemoteNode, startRemoteNode } from '../fixture/remote-node.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { scratch, writeSet } from '../pool/scratch.js'

/** Pools of libpmemobj on top of rpmem: real objects, PMDK's own tools as the judge, our daemon as the keeper of the replica. */

const program = (() => {
  let path: string | undefined
  return (): string => {
    if (path !== undefined) return path
    const folder = scratch(t)
    path = join(folder, 'object-list')
    const source = fileURLToPath(new URL('../../../test/fixture/object-list.c', import.meta.url))
    execFileSync('g++', ['-x', 'c', '-O1', '-o', path, source, '-x', 'none', '-lpmemobj'])
    return path
  }
})()

/** What libpmemobj finds: the number of objects, or why it finds none. */
function objects(verb: 'create' | 'open', set: string, count = 0): number | string {
  const { status, stdout, stderr } = spawnSync(program(), [verb, set, String(count)], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return status === 0 ? Number(stdout) : stderr || `exit status ${status}`
}

/** pmempool check: 'consistent', or all that it says. */
function verdict(set: string): string {
  const { status, stdout, stderr } = spawnSync('pmempool', ['check', '-v', set], { encoding: 'utf8', timeout: 60_000 })
  return status === 0 && stdout.trimEnd().endsWith(': consistent') ? 'consistent' : stdout + stderr
}

const setText = (...lines: string[]): string => ['PMEMPOOLSET', ...lines, ''].join('\n')

/** The parts of one replica as one memory (reference pool-format 4), and what its first header says. */
function replicaOf(t: Test, paths: readonly string[], singleHeader = false) {
  const fds = paths.map(path => openSync(path, 'r+'))
  const pieces: FilePiece[] = fds.map((fd, part) => {
    const offset = part === 0 || singleHeader ? 0 : pageSize
    return { fd, offset, length: statSync(paths[part] ?? '').size - offset }
  })
  const memory = NativeMemory.map(pieces)
  for (const fd of fds) closeSync(fd)
  t.teardown(() => memory.close())
  const header = decodeHeader(readFileSync(paths[0] ?? '').subarray(0, pageSize))
  return { memory, attributes: attributesOf(header) }
}

/** Mirrors all of the memory to a new pool of the node, page by page of a copy that nobody writes to. */
async function mirror(node: RemoteNode, set: string, memory: NativeMemory, attributes: PoolAttributes): Promise<void> {
  const remote = await RemotePool.create(node.address, set, memory, { ...node.options, attributes, lanes: 2 })
  await remote.persist(pageSize, memory.size - pageSize)
  await remote.close()
}

const zero = new Uint8Array(16)

const shapes = [
  { name: 'one part', local: ['24M LOCAL/a'], remote: ['24M PARTS/x'] },
  {
    name: 'parts of other sizes',
    local: ['16M LOCAL/a', '8M LOCAL/b'],
    remote: ['3M PARTS/x', '9M PARTS/y', '15M PARTS/z'],
  },
  {
    name: 'SINGLEHDR',
    local: ['OPTION SINGLEHDR', '16M LOCAL/a', '8M LOCAL/b'],
    remote: ['OPTION SINGLEHDR', '8M PARTS/x', '16M PARTS/y'],
  },
]

for (const { name, local, remote } of shapes) {
  t.test(`a pool of libpmemobj that was mirrored opens on the target as a pool of its own: ${name}`, async t => {
    const folder = scratch(t)
    const set = writeSet(folder, 'local.set', ...local.map(line => line.replace('LOCAL', folder)))
    t.equal(objects('create', set, 200), 150)
    const node = await startRemoteNode(t)
    node.writeSet('r.set', setText(...remote))
    const paths = local.flatMap(line => (line.includes('LOCAL') ? [join(folder, line.slice(-1))] : []))
    const { memory, attributes } = replicaOf(t, paths, name === 'SINGLEHDR')
    // Zero links and a zero UUID: the target makes it a pool of one replica.
    await mirror(node, 'r.set', memory, { ...attributes, uuid: zero, nextUuid: zero, prevUuid: zero })

    const there = writeSet(node.folder, 'there.set', ...remote.map(line => line.replace('PARTS', node.parts)))
    t.equal(verdict(there), 'consistent')
    t.equal(objects('open', there), 150, 'the objects are there')
    t.equal(objects('open', there, 40), 180, 'and more can be added')
    t.equal(verdict(there), 'consistent')

    const again = await RemotePool.open(node.address, 'r.set', memory, { ...node.options, lanes: 1 })
    t.same(again.attributes?.signature, Buffer.from('PMEMOBJ\0'))
    await again.close()
    t.equal(objects('open', there), 180, 'our daemon has left it as it was')
  })
}

const remoteShapes: [name: string, lines: string[], headers: number][] = [
  ['one part', ['8M PARTS/0'], 1],
  ['two parts', ['8M PARTS/0', '3M PARTS/1'], 2],
  ['twenty parts', Array.from({ length: 20 }, (_, part) => `2M PARTS/${part}`), 20],
  ['SINGLEHDR', ['OPTION SINGLEHDR', '4M PARTS/0', '3M PARTS/1', '2M PARTS/2'], 1],
]

t.test('pmempool finds every header right that our daemon writes', async t => {
  const node = await startRemoteNode(t)
  const memory = NativeMemory.anonymous(8 * MiB)
  t.teardown(() => memory.close())
  for (const [name, lines, headers] of remoteShapes) {
    node.writeSet('a.set', setText(...lines))
    const incompat = name === 'SINGLEHDR' ? 3 : 2
    const attributes = { ...zeroAttributes(), signature: Buffer.from('TARGET01'), major: 9, compat: 5, incompat }
    const remote = await RemotePool.create(node.address, 'a.set', memory, { ...node.options, attributes })
    await remote.close()
    const uuids = new Set<string | undefined>()
    for (let part = 0; part < headers; part++) {
      const fields = pmempoolInfo(join(node.parts, String(part)))
      t.match(fields.get('Checksum'), /\[OK\]$/, `${name}: part ${part}`)
      t.match(fields.get('Alignment Descriptor'), /\[OK\]$/)
      t.match(fields.get('Mandatory features'), name === 'SINGLEHDR' ? /^0x3 / : /^0x2 /)
      t.match(fields.get('Not mandatory features'), /^0x5/)
      t.equal(fields.get('Signature'), 'TARGET01')
      t.equal(fields.get('Major'), '9')
      t.equal(fields.get('Last shutdown'), 'clean')
      uuids.add(fields.get('UUID'))
    }
    t.equal(uuids.size, headers, 'every part has a UUID of its own')
    await RemotePool.remove(node.address, 'a.set', node.options)
    t.same(node.partFiles(), [])
  }
})

t.test('a master that is lost is restored by pmempool from the replica that our daemon kept', async t => {
  const folder = scratch(t)
  const node = await startRemoteNode(t)
  const [master, copy] = [join(folder, 'master'), join(folder, 'copy')]
  const both = writeSet(folder, 'both.set', `24M ${master}`, 'REPLICA', `24M ${copy}`)
  t.equal(objects('create', both, 100), 75)
  node.writeSet('r.set', setText('11M PARTS/x', '14M PARTS/y'))
  // The second replica moves to the target, with its identity and its links.
  const { memory, attributes } = replicaOf(t, [copy])
  await mirror(node, 'r.set', memory, attributes)
  rmSync(copy)

  const moved = writeSet(
    folder,
    'moved.set',
    `24M ${master}`,
    'REPLICA',
    ...['11M PARTS/x', '14M PARTS/y'].map(line => line.replace('PARTS', node.parts)),
  )
  t.equal(verdict(moved), 'consistent')
  t.equal(objects('open', moved, 20), 90, 'libpmemobj writes to both')
  rmSync(master)
  execFileSync('pmempool', ['sync', moved], { timeout: 60_000 })
  t.equal(verdict(moved), 'consistent')
  t.equal(objects('open', moved), 90)
})

t.test('a replica opens by itself once its attributes link it to itself', async t => {
  const folder = scratch(t)
  const node = await startRemoteNode(t)
  const [master, copy] = [join(folder, 'master'), join(folder, 'copy')]
  const both = writeSet(folder, 'both.set', `16M ${master}`, 'REPLICA', `16M ${copy}`)
  t.equal(objects('create', both, 40), 30)
  node.writeSet('r.set', setText('9M PARTS/x', '9M PARTS/y'))
  const { memory, attributes } = replicaOf(t, [copy])
  await mirror(node, 'r.set', memory, attributes)
  const there = writeSet(node.folder, 'there.set', `9M ${node.parts}/x`, `9M ${node.parts}/y`)
  t.match(objects('open', there), /wrong replica UUID/, 'as with the rpmemd of PMDK')

  const remote = await RemotePool.open(node.address, 'r.set', memory, { ...node.options, lanes: 1 })
  const { uuid } = attributes
  await remote.setAttributes({ ...attributes, nextUuid: uuid, prevUuid: uuid })
  await remote.close()
  t.equal(verdict(there), 'consistent')
  t.equal(objects('open', there, 8), 36)
})

t.test('pools that PMDK made open with ours, and are consistent for PMDK afterwards', async t => {
  const folder = scratch(t)
  const sets: [name: string, lines: string[]][] = [
    ['one', ['16M DIR/a']],
    ['three', ['8M DIR/b', '8M DIR/c', '3M DIR/d']],
    ['single', ['OPTION SINGLEHDR', '8M DIR/e', '8M DIR/f']],
    ['mirrored', ['16M DIR/g', 'REPLICA', '9M DIR/h', '9M DIR/i']],
  ]
  for (const [name, lines] of sets) {
    const set = writeSet(folder, `${name}.set`, ...lines.map(line => line.replace('DIR', folder)))
    t.equal(objects('create', set, 12), 9, name)
    const before = readFileSync(join(folder, lines.at(-1)?.slice(-1) ?? ''))
    const pool = await Pool.open(set, { signature: 'PMEMOBJ', major: 6 })
    const range = pool.view(0, 4096).slice()
    pool.view(0, 4096).set(range)
    pool.persistSync(0, 4096)
    await pool.deepPersist(4096, 4096)
    await pool.close()
    sameBytes(
      t,
      readFileSync(join(folder, lines.at(-1)?.slice(-1) ?? '')),
      before,
      `${name}: the last part is unchanged`,
    )
    t.equal(verdict(set), 'consistent', name)
    t.equal(objects('open', set, 4), 12, name)
  }
})

for (const kind of ['blk 512', 'log']) {
  t.test(`a ${kind} pool of pmempool opens with ours`, async t => {
    const folder = scratch(t)
    const set = writeSet(folder, 'a.set', `24M ${folder}/a`)
    execFileSync('pmempool', ['create', ...kind.split(' '), set], { timeout: 60_000 })
    await (await Pool.open(set, { signature: kind.startsWith('blk') ? 'PMEMBLK' : 'PMEMLOG' })).close()
    t.equal(verdict(set), 'consistent')
  })
}
