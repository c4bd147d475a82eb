import { isAbsolute } from 'node:path'
import { expandHome } from './pool-set-path.js'
import { isSettingName, type Mistake, readSetting, type Settings, settingNames } from './settings.js'

export interface ConfigText {
  readonly patch: Partial<Settings>
  /** All of them, in order of the lines. */
  readonly mistakes: readonly Mistake[]
}

/**
 * Reads `key = value` lines. Blanks around key and value do not count, `#` begins a comment, further `=` belong to the
 * value, quotes are characters like any other, and a repeated key counts as last written. Source: rpmemd(1).
 */
export function parseConfig(text: string, file: string): ConfigText {
  let patch: Partial<Settings> = {}
  const mistakes: Mistake[] = []
  for (const [index, source] of text.split('\n').entries()) {
    const found = parseLine(source)
    if ('complaint' in found)
      mistakes.push({ file, line: index + 1, column: found.column, message: found.complaint, source: source.trimEnd() })
    else patch = { ...patch, ...found.patch }
  }
  return { patch, mistakes }
}

type Line = { readonly patch: Partial<Settings> } | { readonly complaint: string; readonly column: number }

function parseLine(source: string): Line {
  const content = source.replace(/#.*$/s, '')
  if (content.trim() === '') return { patch: {} }
  const start = content.search(/\S/) + 1
  const equals = content.indexOf('=')
  if (equals < 0) return { complaint: "'=' is missing: a line is `key = value`", column: content.trimEnd().length + 1 }
  const key = content.slice(0, equals).trim()
  if (key === '') return { complaint: 'the key is empty', column: equals + 1 }
  if (!isSettingName(key)) return { complaint: unknownKey(key), column: start }
  const value = content.slice(equals + 1)
  const reading = readSetting(key, value.trim())
  const patch = 'patch' in reading ? reading.patch : {}
  const complaint = 'complaint' in reading ? reading.complaint : relativeDir(patch)
  if (complaint === undefined) return { patch }
  return { complaint: `${key}: ${complaint}`, column: equals + 2 + Math.max(0, value.search(/\S/)) }
}

/** Whatever the home directory is, that is no absolute path. */
function relativeDir({ poolSetDir }: Partial<Settings>): string | undefined {
  if (poolSetDir === undefined || isAbsolute(expandHome(poolSetDir, '/'))) return undefined
  return `'${poolSetDir}' is not an absolute path; begin it with / or with $HOME/`
}

const commandLineOnly = ['config', 'remove', 'force', 'pool-set', 'nthreads', 'help', 'version']

const unknownKey = (key: string): string =>
  commandLineOnly.includes(key)
    ? `'${key}' can only be given on the command line`
    : `'${key}' is none of ${settingNames.join(', ')}`
