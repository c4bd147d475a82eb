import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { noFiles, PoolSetSyntaxError, parsePoolSet } from '../../poolset/index.js'

const seed = 20261120
const folder = t.testdir({})
const path = (name: string): string => join(folder, name)

/** PMDK's parser as a judge: the parts do not exist, which pmempool finds out only once it has understood the set. */
function isTakenByPmempool(text: string): boolean {
  writeFileSync(path('judged.set'), text)
  // No remote is ever asked, whatever the set names.
  const env = { ...process.env, RPMEM_SSH: '/bin/false', LC_ALL: 'C' }
  const { stderr, error } = spawnSync('pmempool', ['check', path('judged.set')], {
    encoding: 'utf8',
    env,
    timeout: 20_000,
  })
  if (error !== undefined) throw error
  if (stderr.includes('No such file or directory')) return true
  if (stderr.includes('Invalid argument')) return false
  throw new Error(`pmempool said something else: ${stderr}`)
}

function isTaken(text: string): boolean {
  try {
    parsePoolSet(text, { notation: 'text', facts: noFiles })
    return true
  } catch (error) {
    if (error instanceof PoolSetSyntaxError) return false
    throw error
  }
}

const words = (...choices: string[]) => fc.constantFrom(...choices)

const part = fc
  .tuple(
    words('', '', '', ' ', '\t'),
    words('8M', '8M', '8M', '+3K', '-1', '8k', '1KiB', '00', '9PB', '1E', '99999999999999999999K', '20000000000G'),
    words(' ', ' ', '\t  '),
    words(path('a'), path('b'), path('c/d'), path('e#f'), 'b', './x'),
    words('', '', '', ' ', '\t', ' # c', '#c', ' x'),
  )
  .map(pieces => pieces.join(''))
const replica = words(
  ...[
    'REPLICA',
    'REPLICA',
    'REPLICA',
    'REPLICA#x',
    'REPLICA ',
    'REPLICA host set',
    'REPLICA host set # c',
    'REPLICA host',
  ],
  ...[
    'REPLICA host /set',
    'REPLICA\thost\tset\t',
    'REPLICAx',
    'REPLICA host set x',
    ' REPLICA',
    'replica',
    'REPLICA\r',
  ],
)
const option = words(
  ...[
    'OPTION SINGLEHDR',
    'OPTION NOHDRS',
    'OPTION',
    'OPTION ',
    'OPTIONNOHDRS',
    'OPTION SINGLEHDR NOHDRS #',
    'OPTION #',
  ],
  ...['OPTION#', 'OPTION X', 'OPTION SINGLEHDR\r', 'OPTION\tSINGLEHDR\tSINGLEHDR'],
)
const filler = words('', '', '#', '# c', ' ', '\t', '  # c', '\r', '#\r')
const line = fc.oneof(
  { weight: 6, arbitrary: part },
  { weight: 5, arbitrary: replica },
  { weight: 3, arbitrary: option },
  { weight: 3, arbitrary: filler },
)

/** Half of them begin well, or hardly any would be taken. */
const sets = fc
  .tuple(words('', `8M ${path('z')}\n`), fc.array(line, { maxLength: 5 }), words('', '\n', '\r\n'))
  .map(([first, lines, end]) => `PMEMPOOLSET\n${first}${lines.join('\n')}${end}`)

const isInstalled = spawnSync('pmempool', ['--version']).status === 0

t.test(
  "PMDK's own parser takes and refuses the same sets",
  { skip: isInstalled ? false : 'pmempool (pmdk-tools) is not installed' },
  async t => {
    t.match(execFileSync('pmempool', ['--version'], { encoding: 'utf8' }), /pmempool \d/)
    let taken = 0
    fc.assert(
      fc.property(sets, text => {
        const theirs = isTakenByPmempool(text)
        if (theirs) taken++
        return isTaken(text) === theirs
      }),
      { seed, numRuns: 250 },
    )
    t.ok(taken > 20, 'enough of them were sets')
  },
)
