import type { GuestEnd, GuestOptions } from './guest.js'

/** Test files that run inside a guest, one after another, and what they report. */
export interface GuestTests {
  /** Below test/lab, without `.test.ts`. */
  readonly files: readonly string[]
  /** For each of them. */
  readonly limitMs: number
  /** For all together, the start of the guest included. */
  readonly totalMs: number
}

/** The TAP of one file and how its process ended; undefined where it never did. */
export interface FileReport {
  readonly name: string
  readonly tap: string
  readonly exitCode: number | undefined
}

const begins = '#lab begins '
const ends = '#lab ends '

/** The command of a guest that runs them. Standard error goes to the guest's console. */
export function testCommand({ files, limitMs }: GuestTests, prelude = ''): string {
  const seconds = Math.ceil(limitMs / 1000)
  const run = files.map(file =>
    [
      `echo '${begins}${file}'`,
      `TAP_TIMEOUT=${seconds} timeout ${seconds} node dist/test/lab/${file}.test.js 2>/dev/console`,
      `echo "${ends}$?"`,
    ].join('\n'),
  )
  return [prelude, ...run, ''].join('\n')
}

export function fileReports({ files }: GuestTests, output: string): FileReport[] {
  const pieces = output.split(new RegExp(`^${begins}`, 'm')).slice(1)
  return files.map(name => {
    const piece = pieces.find(text => text.startsWith(`${name}\n`))?.slice(name.length + 1) ?? ''
    const [tap = '', rest] = piece.split(new RegExp(`^${ends}`, 'm'))
    return { name, tap, exitCode: rest === undefined ? undefined : Number.parseInt(rest, 10) }
  })
}

/** One TAP report of all, each file a subtest. A file that never ended has failed, whatever it reported. */
export function joinReports(reports: readonly FileReport[]): string {
  const parts = reports.map(({ name, tap, exitCode }, n) => {
    const inner = tap
      .split('\n')
      .filter(line => !/^TAP version/.test(line))
      .map(line => `    ${line}\n`)
      .join('')
    const verdict = exitCode === 0 ? 'ok' : 'not ok'
    const how = exitCode === undefined ? ': the guest ended before it' : ''
    return `# Subtest: ${name}\n${inner}${verdict} ${n + 1} - ${name}${how}\n`
  })
  return `TAP version 14\n${parts.join('\n')}1..${reports.length}\n`
}

/** How a guest ended that should have run to its end; undefined if it did. */
export const untimelyEnd = ({ name }: GuestOptions, end: GuestEnd): string | undefined =>
  end.exitCode === undefined ? `guest ${name} did not come to its end: ${end.console.slice(-2000)}` : undefined
