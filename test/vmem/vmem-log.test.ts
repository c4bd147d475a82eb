import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../fixture/temporary-folder.js'

/** Something of every level, after it statistics; the last call fails. */
const program = `
  const { Vmem } = await import(${JSON.stringify(new URL('../../vmem/index.js', import.meta.url).href)})
  const vmem = Vmem.createSync('/dev/shm', 2 ** 20)
  vmem.free(vmem.malloc(1000))
  vmem.freeOffset(vmem.reallocOffset(vmem.callocOffset(3, 7), 900))
  vmem.freeOffset(vmem.alignedAllocOffset(64, 5))
  vmem.statsPrint('gmabl')
  try { vmem.freeOffset(4096) } catch {}
  vmem.closeSync()
  console.log(process.pid)`

interface Run {
  readonly stderr: string
  readonly pid: string
}

function run(environment: Record<string, string>): Run {
  const { VMEM_LOG_LEVEL: _, VMEM_LOG_FILE: __, ...inherited } = process.env
  const arguments_ = ['--input-type=module', '--eval', program]
  const options = { env: { ...inherited, ...environment }, encoding: 'utf8', timeout: 60_000 } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, arguments_, options)
  if (status !== 0) throw new Error(`the program ended with ${status}: ${stderr}`)
  return { stderr, pid: stdout.trim() }
}

const statistics = /^___ Begin vmem statistics ___\n(.*\n)+--- End vmem statistics ---\n/m
const line = /^<rpmem vmem>: <(\d)> \[(\w+)\] .+$/

/** The lines that are not statistics. */
function linesOf(text: string): string[] {
  return text.replace(statistics, '').split('\n').slice(0, -1)
}

const placesAt = (lines: readonly string[], level: number) =>
  lines.flatMap(each => (line.exec(each)?.[1] === `${level}` ? [line.exec(each)?.[2] ?? ''] : []))

t.test('without a level there are statistics and nothing else', async t => {
  for (const level of [undefined, '', '0', '-1', 'loud']) {
    const { stderr } = run(level === undefined ? {} : { VMEM_LOG_LEVEL: level })
    t.match(stderr, statistics, `level ${level}`)
    t.same(linesOf(stderr), [], `level ${level}`)
  }
})

/** Places whose lines a level adds, in the order of the program. */
const added: readonly (readonly string[])[] = [
  [],
  ['start', 'free'],
  ['create', 'close'],
  ['create', 'malloc', 'free', 'calloc', 'realloc', 'free', 'alignedAlloc', 'free', 'stats'],
  ['malloc', 'free', 'calloc', 'realloc', 'free', 'alignedAlloc', 'free'],
]

for (let level = 1; level <= 5; level++) {
  t.test(`level ${level} has the lines of all levels up to it`, async t => {
    const lines = linesOf(run({ VMEM_LOG_LEVEL: `${level}` }).stderr)
    t.same(
      lines.filter(each => !line.test(each)),
      [],
      'every line names the library, the level and the place',
    )
    for (const [each, places] of added.entries())
      t.same(placesAt(lines, each), each <= level ? places : [], `<${each}>`)
  })
}

t.test('lines say what happened', async t => {
  const { stderr, pid } = run({ VMEM_LOG_LEVEL: '4' })
  const lines = linesOf(stderr)
  t.match(lines[0], new RegExp(`^<rpmem vmem>: <1> \\[start\\] pid ${pid}: .+ libvmem 1\\.1$`))
  t.match(stderr, '<1> [free] no block begins at offset 4096\n')
  t.match(stderr, '<2> [create] a pool of 1048576 bytes\n')
  const [, offset] = /<4> \[malloc\] 1000 → (\d+)\n/.exec(stderr) ?? []
  t.match(stderr, `<4> [free] ${offset}\n`)
  t.match(stderr, /<4> \[calloc\] 3, 7 → (\d+)\n(.*\n)*?.*<4> \[realloc\] \1, 900 → \d+\n/)
  t.match(stderr, /<4> \[alignedAlloc\] 64, 5 → \d+\n/)
})

t.test('a file takes lines and statistics, behind what it has already', async t => {
  const file = join(temporaryFolder(t), 'log')
  for (let times = 1; times <= 2; times++) {
    t.equal(run({ VMEM_LOG_LEVEL: '2', VMEM_LOG_FILE: file }).stderr, '')
    const text = readFileSync(file, 'utf8')
    t.match(text, statistics)
    t.equal(text.split('[create] a pool of').length - 1, times)
  }
})

t.test('a name that ends in "-" gets the process id', async t => {
  const name = join(temporaryFolder(t), 'log-')
  const { stderr, pid } = run({ VMEM_LOG_LEVEL: '1', VMEM_LOG_FILE: name })
  t.equal(stderr, '')
  t.equal(existsSync(name), false)
  t.match(readFileSync(`${name}${pid}`, 'utf8'), '[free] no block begins at offset 4096')
})

t.test('a file that cannot be written is told once, and the program goes on', async t => {
  const file = join(temporaryFolder(t), 'none', 'log')
  const lines = linesOf(run({ VMEM_LOG_LEVEL: '2', VMEM_LOG_FILE: file }).stderr)
  t.match(lines[0], `${file} cannot be written`)
  t.same(
    lines.slice(1).map(each => line.exec(each)?.[2]),
    ['start', 'create', 'free', 'close'],
    'and nothing is lost',
  )
})
