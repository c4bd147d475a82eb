import { readFileSync } from 'node:fs'
import t from 'tap'
import { errno } from '../../core/index.js'
import { type FileFacts, measure, type PoolSet, PoolSetSyntaxError, parsePoolSet } from '../../poolset/index.js'
import { places } from './golden-places.js'

/** PMDK's parser was observed on these inputs; `<dir>` is a directory that holds dir1, dir2 and the file norm. */
const rows = readFileSync(new URL('../../../test/vectors/poolset/cases.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('# input'))
  .map(line => {
    const [input = '', result = '', detail = ''] = line.split('\t')
    return { input, result, detail }
  })

const facts: FileFacts = {
  look(path) {
    const real = path.replace('/../pt/', '/').replace(/\/$/, '')
    if (real === '/pt/dir1' || real === '/pt/dir2') return { kind: 'directory', realPath: real }
    if (path === '/pt/norm') return { kind: 'file', size: 4096 }
    return { kind: path === '/dev/null' ? 'device' : 'missing' }
  },
  list: () => [],
}

const escapes: Record<string, number> = { n: 10, r: 13, t: 9, 0: 0 }

function bytesOf(input: string): Uint8Array {
  const bytes: number[] = []
  for (const [, hex, letter, plain] of input.replaceAll('<dir>', '/pt').matchAll(/\\x(..)|\\(.)|([^\\])/g)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16))
    else if (letter !== undefined) bytes.push(escapes[letter] ?? 0)
    else bytes.push(...Buffer.from(plain ?? ''))
  }
  return Uint8Array.from(bytes)
}

/** In the words of the vectors. */
function render(set: PoolSet): string {
  const { pool, reservation, replicas } = measure(set)
  const names = [set.options.singleHeader ? ['SINGLEHDR'] : [], set.options.noHeaders ? ['NOHDRS'] : []].flat()
  const measures = replicas.values()
  const described = set.replicas.map(replica => {
    if (replica.kind === 'remote') return `remote node=${replica.node} set=${replica.set}`
    const parts = replica.parts.filter(part => part.kind !== 'directory').map(part => `${part.path}:${part.size}`)
    const { headers, size } = measures.next().value ?? { headers: -1, size: -1n }
    return `local headers=${headers} size=${size} parts=${parts.join(' ') || '-'}`
  })
  const options = names.join('+') || 'none'
  return `options=${options} pool=${pool} reservation=${reservation} replicas: ${described.join(';')}`
}

function errorOf(input: string): PoolSetSyntaxError {
  try {
    parsePoolSet(bytesOf(input), { facts, notation: 'text' })
  } catch (error) {
    if (error instanceof PoolSetSyntaxError) return error
    throw error
  }
  throw new Error('the parser took what PMDK refuses')
}

t.test('the vectors are all here', async t => {
  t.equal(rows.length, 108)
})

t.test('a set that PMDK takes has the options, sizes and headers that PMDK computes', async t => {
  for (const row of rows.filter(row => row.result === 'ok')) {
    t.equal(render(parsePoolSet(bytesOf(row.input), { facts })), row.detail, row.input)
  }
})

t.test('a set that PMDK refuses breaks the same rule first, with the same errno, at the right place', async t => {
  for (const row of rows.filter(row => row.result === 'error')) {
    const [first] = errorOf(row.input).mistakes
    const code = Object.entries(errno).find(([, number]) => number === first?.errno)?.[0] ?? first?.errno
    t.equal(`errno=${code} rule=${first?.rule}`, row.detail, row.input)
    t.equal(`${first?.line}:${first?.column}`, places.get(row.input), `place of ${row.input}`)
  }
})
