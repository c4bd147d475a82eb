import { RpmemError } from '../core/index.js'
import type { CommandLine } from './command-line.js'
import { globalConfigFile, loadSettings } from './config.js'
import { expandHome, expandPoolSetDir } from './pool-set-path.js'
import type { DaemonPorts } from './rpmemd.js'
import type { Settings } from './settings.js'

export interface Configuration {
  readonly settings: Settings
  /** Absolute. */
  readonly poolSetDir: string
}

/** What command line and configuration files together say; what is wrong with them is the error that is returned. */
export function configure(line: CommandLine, ports: DaemonPorts): Configuration | RpmemError {
  try {
    const home = ports.env.HOME || ports.home()
    const settings = loadSettings(line, { globalFile: ports.globalConfigFile ?? globalConfigFile, home })
    const logFile = expandHome(settings.logFile, home)
    return { settings: { ...settings, logFile }, poolSetDir: expandPoolSetDir(settings.poolSetDir, home) }
  } catch (error) {
    if (error instanceof RpmemError) return error
    throw error
  }
}
