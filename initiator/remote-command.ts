import { RpmemError } from '../core/index.js'

/** The remote commands of RPMEM_CMD, one per launch and then from the start again, as in librpmem. */
export class CommandRotation {
  readonly #commands: readonly string[]
  #next = 0

  constructor(commands: readonly string[]) {
    this.#commands = commands.length > 0 ? commands : ['rpmemd']
  }

  take(): string {
    const command = this.#commands[this.#next % this.#commands.length] ?? 'rpmemd'
    this.#next++
    return command
  }
}

/** The command of a session. PMDK's rpmemd ignores the word; ours answers it with the rpmem dialect. */
export const sessionCommand = (command: string): string => `${command} negotiate`

export interface RemoveOptions {
  /** Ignore errors, as RPMEM_REMOVE_FORCE. */
  readonly force?: boolean
  /** Remove the pool set file too, as RPMEM_REMOVE_POOL_SET. */
  readonly removePoolSet?: boolean
}

/** The set name goes through the remote shell: whatever is not plainly a name is quoted. */
export function removeCommand(command: string, set: string, options: RemoveOptions): string {
  const force = options.force ? ' --force' : ''
  const poolSet = options.removePoolSet ? ' --pool-set' : ''
  return `${command} --remove ${quote(set)}${force}${poolSet}`
}

/** As one word of a POSIX shell, and never as an option. */
function quote(set: string): string {
  if (set === '' || /[\0\n\r]/.test(set)) {
    const shown = JSON.stringify(set.slice(0, 200))
    throw new RpmemError('ERR_ARGUMENT', `${shown} is no name of a pool set`, { facts: { set: shown } })
  }
  const name = set.startsWith('-') ? `./${set}` : set
  return /^[\w./+,@%=:-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`
}
