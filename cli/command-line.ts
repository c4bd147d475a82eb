import { Command, CommanderError } from 'commander'
import { hasCode } from '../core/index.js'
import { errorJson, errorText } from './error-text.js'
import type { Io } from './io.js'
import { packageVersion } from './version.js'

/** Exit codes of every command. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const

/**
 * The `rpmem` command as a function of its arguments and its world; resolves with the exit code and never ends the process.
 * Each command's module is loaded when it is run, so that `rpmem --help` costs nothing.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.ok
  const program = commands(io, result => {
    code = result
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.err(argv.includes('--json') ? `${JSON.stringify({ error: errorJson(error) })}\n` : errorText(error, io))
    return hasCode(error, 'ERR_USAGE') ? exitCodes.usage : exitCodes.failed
  }
}

function commands(io: Io, exit: (code: number) => void): Command {
  const program = new Command('rpmem')
    .description('Memory pools mirrored, persist by persist, to remote targets.')
    .version(`rpmem ${packageVersion()}`, '-V, --version')
    .helpCommand(false)
    .showHelpAfterError('(rpmem --help explains the commands)')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .addHelpText(
      'after',
      examples('rpmem demo', 'rpmem create counter.set --signature COUNTER', 'rpmem info counter.set'),
    )
  addExplain(program, io)
  void exit
  return program
}

function addExplain(program: Command, io: Io): void {
  program
    .command('explain [CODE]')
    .description('say what an error code means and what to do; without CODE, list them all')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem explain ERR_HOST_KEY_UNKNOWN'))
    .action(async (code: string | undefined, { json = false }: { json?: boolean }) => {
      const { explanation } = await import('./explain-command.js')
      io.out(explanation(code, json, io))
    })
}

const examples = (...lines: string[]): string => `\nExamples:\n${lines.map(line => `  $ ${line}\n`).join('')}`
