import type { Command } from 'commander'
import { RpmemError } from '../core/index.js'
import { parseSize } from '../poolset/index.js'

/** What several commands have in common on their command lines. */

export interface Json {
  readonly json?: boolean
}

export const examples = (...lines: string[]): string => `\nExamples:\n${lines.map(line => `  $ ${line}\n`).join('')}`

const gathered = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** What decides how targets are reached; the user's ssh configuration holds for the rest. */
export const withTargetOptions = (command: Command): Command =>
  command
    .option('-i, --identity <FILE>', 'private key instead of those of the ssh configuration; repeatable', gathered)
    .option('--known-hosts <FILE>', 'host keys instead of those of the ssh configuration; repeatable', gathered)
    .option('--ssh-config <FILE>', 'instead of ~/.ssh/config')

export const withTimeout = (command: Command, what: string): Command =>
  command.option('--timeout <SECONDS>', what, text => seconds(text, '--timeout'))

export const withRate = (command: Command, what: string): Command =>
  command.option('--rate <BYTES>', `${what}; as 50M`, text => bytes(text, '--rate'))

function seconds(text: string, flag: string): number {
  const value = Number(text)
  if (value > 0 && value <= longestSeconds) return value
  throw new RpmemError('ERR_USAGE', `${flag} takes a number of seconds above zero, not '${text}'`)
}

/** A timer of Node.js counts milliseconds in 31 bits. */
const longestSeconds = 2_147_483

/** With a suffix as in pool set files, or without. */
export function bytes(text: string, flag: string): number {
  const value = parseSize(text)
  if (typeof value === 'number' && !/^[+-]/.test(text)) return value
  throw new RpmemError('ERR_USAGE', `${flag} takes a number of bytes above zero, such as 50M, not '${text}'`)
}
