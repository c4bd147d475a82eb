import { type LogLevel, logLevels } from '../core/index.js'

/** What both the configuration files and the command line of rpmemd(1) may set. */
export interface Settings {
  readonly logFile: string
  /** Directory of the pool set files; not yet expanded, see pool-set-path.ts. */
  readonly poolSetDir: string
  readonly persistApm: boolean
  /** Accepted for the sake of PMDK's files; without effect, as there. */
  readonly persistGeneral: boolean
  readonly useSyslog: boolean
  readonly logLevel: LogLevel
}

/** A mistake in a configuration file. Line and column count from 1. */
export interface Mistake {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
  readonly source: string
}

export type Reading = { readonly patch: Partial<Settings> } | { readonly complaint: string }

const flag = (key: 'persistApm' | 'persistGeneral' | 'useSyslog') => (text: string) => {
  if (text === 'yes' || text === 'no') return { patch: { [key]: text === 'yes' } }
  return { complaint: `the value must be yes or no, not '${text}'` }
}

const readers = {
  // A log file of one's own means that one does not want the system log; a later use-syslog decides anew.
  'log-file': (text: string) => ({ patch: { logFile: text, useSyslog: false } }),
  'poolset-dir': (text: string) => ({ patch: { poolSetDir: text } }),
  'persist-apm': flag('persistApm'),
  'persist-general': flag('persistGeneral'),
  'use-syslog': flag('useSyslog'),
  'log-level': (text: string) => {
    const level = logLevels.find(known => known === text)
    return level ? { patch: { logLevel: level } } : { complaint: `'${text}' is none of ${logLevels.join(', ')}` }
  },
} satisfies Record<string, (text: string) => Reading>

export type SettingName = keyof typeof readers

export const isSettingName = (name: string): name is SettingName => Object.hasOwn(readers, name)
export const settingNames = Object.keys(readers).filter(isSettingName)

/** Reads one value. The name was checked with isSettingName. */
export function readSetting(name: SettingName, text: string): Reading {
  return text === '' ? { complaint: 'the value is empty' } : readers[name](text)
}

export const defaultSettings = (home: string): Settings => ({
  logFile: '/var/log/rpmemd.log',
  poolSetDir: home,
  persistApm: false,
  persistGeneral: true,
  useSyslog: true,
  logLevel: 'err',
})
