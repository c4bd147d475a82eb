import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { rpmemd } from '../../target/rpmemd.js'
import { vectorText } from '../fixture/vectors.js'
import { bed } from './session-bed.js'

/** Command lines and configuration files that PMDK's rpmemd was given, and what it made of them. */
interface Row {
  readonly args: readonly string[]
  readonly conf: string
  /** .rpmemd.conf in the home directory. */
  readonly user: string | undefined
  /** Exit status and the first four bytes of the output in hex; '-' for none. */
  readonly outcome: string
}

const rows: Row[] = vectorText('rpmemd', 'options.tsv')
  .trimEnd()
  .split('\n')
  .filter(line => !line.startsWith('#'))
  .map(line => {
    const [args = '', conf = '', user = '', status = '', word = ''] = line.split('\t')
    return {
      args: JSON.parse(args),
      conf: JSON.parse(conf),
      user: user === '-' ? undefined : JSON.parse(user),
      outcome: `${status} ${word}`,
    }
  })

/** Where ours differs on purpose: which rows, our outcome, why. */
const differences: [concerns: (row: Row) => boolean, outcome: string, why: string][] = [
  [({ conf }) => conf.includes('\0'), '1 16000000', 'a NUL does not hide the rest of a line'],
  [({ args }) => /(-[cr],|--remove=)$/.test(args.join()), '255 -', 'an empty value is a mistake'],
  [({ args }) => /-hx|--help,--nonsense/.test(args.join()), '255 -', 'a command line is judged as a whole'],
  [({ args, user }) => user !== undefined && /^--/.test(args.join()), '1 16000000', 'every line of a file is judged'],
]

async function outcomeOf(t: Test, { args, conf, user }: Row): Promise<string> {
  const it = bed(t)
  const dir = join(it.pools, 'home')
  mkdirSync(dir)
  const put = (text: string) => text.replaceAll('DIR', dir)
  writeFileSync(join(dir, 'good'), put('log-file = DIR/log\nuse-syslog = no\n'))
  writeFileSync(join(dir, 'conf'), put(conf))
  if (user !== undefined) writeFileSync(join(dir, '.rpmemd.conf'), put(user))
  const [input, output, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  input.end()
  const code = await rpmemd({
    args: args.map(put),
    env: { HOME: dir, SSH_CONNECTION: '127.0.0.1 1 127.0.0.1 2' },
    home: () => dir,
    input,
    output,
    stderr,
    fabric: it.fabric,
    storage: it.storage,
    version: () => '0.0.0',
    globalConfigFile: join(dir, 'none'),
    onSignal: () => {},
  })
  const written: Buffer = output.read() ?? Buffer.of()
  return `${code} ${written.subarray(0, 4).toString('hex') || '-'}`
}

t.ok(rows.length > 190, 'the observations are there')

t.test('command lines and configuration files mean what they mean to PMDK', async t => {
  for (const row of rows) {
    const difference = differences.find(([concerns]) => concerns(row))
    const { args, conf, user } = row
    const name = `${args.join(' ')} ${JSON.stringify(conf)} ${JSON.stringify(user) ?? ''}`
    const ours = await outcomeOf(t, row)
    t.equal(ours, difference ? difference[1] : row.outcome, name)
    if (difference) t.not(ours, row.outcome, `a difference, ${difference[2]}, that there is not: ${name}`)
  }
})
