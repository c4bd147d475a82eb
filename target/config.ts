import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errno, RpmemError, systemCode } from '../core/index.js'
import type { CommandLine } from './command-line.js'
import { type ConfigText, parseConfig } from './config-file.js'
import { defaultSettings, type Mistake, type Settings } from './settings.js'

export interface ConfigPlaces {
  readonly globalFile: string
  /** Home directory of the user: default pool set directory, and place of .rpmemd.conf. */
  readonly home: string
}

export const globalConfigFile = '/etc/rpmemd/rpmemd.conf'

/**
 * The settings that hold for this process. Later sources win: defaults, global file, user's file, command line; with
 * --config only that file is read. ERR_CONFIG names all mistakes of all files. Source: rpmemd(1).
 */
export function loadSettings(line: Pick<CommandLine, 'config' | 'settings'>, places: ConfigPlaces): Settings {
  const texts =
    line.config === undefined
      ? [readOptional(places.globalFile), readOptional(join(places.home, '.rpmemd.conf'))]
      : [readRequired(line.config)]
  const mistakes = texts.flatMap(text => text.mistakes)
  if (mistakes.length) throw wrongConfig(mistakes)
  return Object.assign({}, defaultSettings(places.home), ...texts.map(text => text.patch), line.settings)
}

function readRequired(file: string): ConfigText {
  try {
    return parseConfig(readFileSync(file, 'utf8'), file)
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

function readOptional(file: string): ConfigText {
  try {
    return parseConfig(readFileSync(file, 'utf8'), file)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT' || systemCode(cause) === 'ENOTDIR') return { patch: {}, mistakes: [] }
    throw unreadable(file, cause)
  }
}

const readErrnos: Readonly<Record<string, number>> = { ENOENT: errno.ENOENT, EACCES: errno.EACCES }

const unreadable = (file: string, cause: unknown): RpmemError =>
  RpmemError.wrap('ERR_CONFIG', `the configuration file ${file} cannot be read`, cause, {
    facts: { file },
    errno: readErrnos[systemCode(cause) ?? ''] ?? errno.EIO,
    hint: 'Check that the file exists and that the user that runs rpmemd may read it.',
  })

function wrongConfig(mistakes: readonly Mistake[]): RpmemError {
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`
  return new RpmemError('ERR_CONFIG', `${count} in the configuration\n${mistakes.map(render).join('\n')}`, {
    facts: { mistakes: mistakes.map(mistake => `${mistake.file}:${mistake.line}: ${mistake.message}`) },
  })
}

const render = ({ file, line, column, message, source }: Mistake): string =>
  `${file}:${line}:${column}: ${message}\n    ${source}\n    ${caretLine(source, column)}`

/** Tabs stay tabs, so that the caret stands below its character whatever the terminal makes of them. */
const caretLine = (source: string, column: number): string => `${source.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`
