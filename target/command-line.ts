import { RpmemError } from '../core/index.js'
import { isSettingName, readSetting, type Settings } from './settings.js'

export interface CommandLine {
  /** The initiator asked for the rpmem dialect. */
  readonly negotiate: boolean
  readonly config: string | undefined
  /** Name of the pool set to remove: remove mode. */
  readonly remove: string | undefined
  readonly force: boolean
  readonly poolSet: boolean
  /** Service threads; 0: chosen by the fabric. */
  readonly threads: number
  readonly help: boolean
  readonly version: boolean
  readonly settings: Partial<Settings>
}

interface Option {
  readonly name: string
  readonly short?: string
  readonly takesValue: boolean
}

const options: readonly Option[] = [
  { name: 'config', short: 'c', takesValue: true },
  { name: 'remove', short: 'r', takesValue: true },
  { name: 'force', short: 'f', takesValue: false },
  { name: 'pool-set', short: 's', takesValue: false },
  { name: 'nthreads', short: 't', takesValue: true },
  { name: 'help', short: 'h', takesValue: false },
  { name: 'version', short: 'V', takesValue: false },
  { name: 'log-file', takesValue: true },
  { name: 'poolset-dir', takesValue: true },
  { name: 'persist-apm', takesValue: false },
  { name: 'persist-general', takesValue: false },
  { name: 'use-syslog', takesValue: false },
  { name: 'log-level', takesValue: true },
]

interface Given {
  readonly name: string
  readonly value: string
}

interface Scan {
  readonly given: Given[]
  readonly words: string[]
  readonly mistakes: string[]
}

const maxThreads = 1024

/**
 * Reads the arguments after the program's name as GNU getopt_long does: long options may be shortened while unambiguous,
 * values follow `=` or stand alone, short ones may be joined, words are ignored except `negotiate`. ERR_USAGE names all
 * mistakes. node:util's parseArgs knows neither abbreviations nor more than one mistake.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const scan: Scan = { given: [], words: [], mistakes: [] }
  const rest = [...args]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') scan.words.push(...rest.splice(0))
    else if (word.startsWith('--')) scanLong(word.slice(2), rest, scan)
    else if (word.startsWith('-') && word !== '-') scanShort(word.slice(1), rest, scan)
    else scan.words.push(word)
  }
  return evaluate(scan)
}

function scanLong(text: string, rest: string[], scan: Scan): void {
  const [typed = '', ...tail] = text.split('=')
  const value = text.includes('=') ? tail.join('=') : undefined
  const exact = options.filter(option => option.name === typed)
  const candidates = exact.length ? exact : options.filter(option => option.name.startsWith(typed))
  const [option] = candidates
  if (!option) scan.mistakes.push(`unknown option --${typed}`)
  else if (candidates.length > 1)
    scan.mistakes.push(`--${typed} may mean ${candidates.map(candidate => `--${candidate.name}`).join(' or ')}`)
  else if (value !== undefined && !option.takesValue) scan.mistakes.push(`--${option.name} takes no value`)
  else take(option, value, rest, scan)
}

function scanShort(letters: string, rest: string[], scan: Scan): void {
  for (let at = 0; at < letters.length; at++) {
    const option = options.find(candidate => candidate.short === letters[at])
    if (!option) {
      scan.mistakes.push(`unknown option -${letters[at]}`)
    } else if (option.takesValue) {
      take(option, letters.slice(at + 1) || undefined, rest, scan)
      return
    } else {
      take(option, undefined, rest, scan)
    }
  }
}

function take(option: Option, attached: string | undefined, rest: string[], scan: Scan): void {
  const value = option.takesValue ? (attached ?? rest.shift()) : 'yes'
  if (value === undefined) scan.mistakes.push(`--${option.name} needs a value`)
  else scan.given.push({ name: option.name, value })
}

function evaluate({ given, words, mistakes }: Scan): CommandLine {
  let settings: Partial<Settings> = {}
  const last = (name: string) => given.findLast(option => option.name === name)?.value
  for (const { name, value } of given) {
    if (isSettingName(name)) {
      const reading = readSetting(name, value)
      if ('patch' in reading) settings = { ...settings, ...reading.patch }
      else mistakes.push(`--${name}: ${reading.complaint}`)
    } else if (value === '' && name !== 'nthreads') {
      mistakes.push(`--${name}: the value is empty`)
    }
  }
  const threads = readThreads(last('nthreads'), mistakes)
  if (mistakes.length) throw usage(mistakes)
  return {
    negotiate: words.includes('negotiate'),
    config: last('config'),
    remove: last('remove'),
    force: last('force') !== undefined,
    poolSet: last('pool-set') !== undefined,
    threads,
    help: last('help') !== undefined,
    version: last('version') !== undefined,
    settings,
  }
}

function readThreads(text: string | undefined, mistakes: string[]): number {
  const threads = Number(text ?? 0)
  if (/^[0-9]*$/.test(text ?? '') && threads <= maxThreads) return threads
  mistakes.push(`--nthreads: '${text}' is not a number from 0 to ${maxThreads}`)
  return 0
}

const usage = (mistakes: readonly string[]): RpmemError =>
  new RpmemError('ERR_USAGE', mistakes.join('; '), { facts: { mistakes } })

export const usageText = `Usage: rpmemd [option]...
Keeps replicas of memory pools on this node. Started over SSH by an initiator, not by hand.

  -c, --config FILE        read FILE instead of /etc/rpmemd/rpmemd.conf and ~/.rpmemd.conf
  -r, --remove SET         remove the parts of the pool set and exit
  -f, --force              with --remove: go on after errors and do not report them
  -s, --pool-set           with --remove: remove the pool set file, too
  -t, --nthreads COUNT     service threads; 0: chosen by the number of cores and lanes
      --poolset-dir DIR    directory of the pool set files; $HOME is expanded
      --log-file FILE      append messages to FILE instead of the system log
      --log-level LEVEL    err, warn, notice, info or debug
      --use-syslog         send messages to the system log
      --persist-apm        let a read after the writes suffice where the platform makes it durable
      --persist-general    the default; accepted for compatibility
  -h, --help               show this text
  -V, --version            show the version

The word \`negotiate\` asks for rpmem's own dialect; without it rpmemd serves an initiator of PMDK 1.12.
`
