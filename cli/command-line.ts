import { Command, CommanderError } from 'commander'
import { hasCode, RpmemError } from '../core/index.js'
import type { ArenaFlags, RecoverFlags } from './arena-command.js'
import type { CreateFlags } from './create-command.js'
import { errorJson, errorText } from './error-text.js'
import { examples, type Json, withTargetOptions } from './flags.js'
import type { Io } from './io.js'
import { addReplicationCommands } from './replication-commands.js'
import type { RmFlags } from './rm-command.js'
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
    // commander has told it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.err(argv.includes('--json') ? `${JSON.stringify({ error: errorJson(error) })}\n` : errorText(error, io))
    return hasCode(error, 'ERR_USAGE') ? exitCodes.usage : exitCodes.failed
  }
}

/** What commander finds wrong, in the form of all other errors. */
const usageText = (text: string, io: Io): string =>
  errorText(
    new RpmemError('ERR_USAGE', text.replace(/^error: /, '').trimEnd(), {
      hint: '`rpmem --help` lists the commands, `rpmem COMMAND --help` explains one.',
    }),
    io,
  )

function commands(io: Io, exit: (code: number) => void): Command {
  const program = new Command('rpmem')
    .description('Memory pools mirrored, persist by persist, to remote targets.')
    .version(`rpmem ${packageVersion()}`, '-V, --version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err, outputError: text => io.err(usageText(text, io)) })
    .addHelpText(
      'after',
      examples('rpmem demo', 'rpmem create counter.set --signature COUNTER', 'rpmem info counter.set'),
    )
  addDemo(program, io, exit)
  addCreate(program, io)
  addInfo(program, io, exit)
  addPoolSet(program, io, exit)
  addRm(program, io, exit)
  addReplicationCommands(program, io, good => exit(verdict(good)))
  addArena(program, io, exit)
  addExplain(program, io)
  return program
}

const verdict = (good: boolean): number => (good ? exitCodes.ok : exitCodes.failed)

function addDemo(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('demo [FILE]')
    .description('mirror the records of a file to two targets on this machine, kill one, compare')
    .option('--dir <DIRECTORY>', 'where to put the pool; default: a temporary directory on a disk')
    .addHelpText('after', examples('rpmem demo', 'rpmem demo /var/log/dpkg.log', 'rpmem demo --dir /dev/shm'))
    .action(async (file: string | undefined, { dir }: { dir?: string }) => {
      const { demonstrate } = await import('./demo-command.js')
      exit(verdict(await demonstrate({ file: file ?? '/var/lib/dpkg/status', directory: dir }, io)))
    })
}

function addCreate(program: Command, io: Io): void {
  withTargetOptions(program.command('create <SET>'))
    .description('create the pool with all its replicas, local and remote, or nothing')
    .option('--signature <TEXT>', 'up to eight characters for the headers; default RPMEM')
    .option('--major <NUMBER>', 'version of the format of your data; default 1')
    .option('--mode <OCTAL>', 'mode of new part files; default 0600')
    .option('--transport <PROVIDER>', 'verbs, tcp or sockets: fail rather than take another')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('rpmem create counter.set --signature COUNTER', 'rpmem create a.set --transport verbs'),
    )
    .action(async (file: string, flags: CreateFlags) =>
      (await import('./create-command.js')).createPool(file, flags, io),
    )
}

function addRm(program: Command, io: Io, exit: (code: number) => void): void {
  withTargetOptions(program.command('rm <SET>'))
    .description('remove the parts of the pool, here and on its targets')
    .option('-f, --force', 'what is not there is no failure')
    .option('--pool-set', 'remove the pool set files too')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem rm counter.set', 'rpmem rm counter.set --force --pool-set'))
    .action(async (file: string, flags: RmFlags) =>
      exit(verdict(await (await import('./rm-command.js')).removePool(file, flags, io))),
    )
}

function addInfo(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('info <SET|FILE>')
    .description('print the headers of the parts of a pool set, or of one part')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem info counter.set', 'rpmem info /mnt/pool/part0 --json'))
    .action(async (path: string, { json = false }: Json) => {
      const { printInfo } = await import('./info-command.js')
      exit(verdict(await printInfo(path, json, io)))
    })
}

function addPoolSet(program: Command, io: Io, exit: (code: number) => void): void {
  const poolset = program
    .command('poolset')
    .description('check, convert or plan a pool set file')
    .helpCommand(false)
    .addHelpText('after', examples('rpmem poolset check counter.set', 'rpmem poolset plan counter.set'))
  const commands = () => import('./poolset-command.js')
  poolset
    .command('check <FILE>')
    .description('list every mistake of the file with line and column')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem poolset check counter.set'))
    .action(async (file: string, { json = false }: Json) =>
      exit(verdict(await (await commands()).checkPoolSet(file, json, io))),
    )
  poolset
    .command('convert <FILE>')
    .description('write the set in another notation, comments included')
    .requiredOption('--to <NOTATION>', 'text, yaml or ini')
    .option('-o, --output <FILE>', 'a new file instead of standard output')
    .addHelpText('after', examples('rpmem poolset convert counter.set --to yaml -o counter.yaml'))
    .action(async (file: string, { to, output }: { to: string; output?: string }) =>
      (await commands()).convertPoolSet(file, to, output, io),
    )
  poolset
    .command('plan <FILE>')
    .description('compute raw, header, usable and minimum sizes')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem poolset plan counter.set'))
    .action(async (file: string, { json = false }: Json) =>
      exit(verdict(await (await commands()).planPoolSet(file, json, io))),
    )
}

function addArena(program: Command, io: Io, exit: (code: number) => void): void {
  const arena = program
    .command('arena')
    .description('examine, recover or restore a checkpointed arena that is not open')
    .helpCommand(false)
    .addHelpText('after', examples('rpmem arena info index.data index.log', 'rpmem arena check index.data index.log'))
  const commands = () => import('./arena-command.js')
  arena
    .command('info <DATA> <LOG>')
    .description('print what the headers and the log say')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem arena info index.data index.log'))
    .action(async (data: string, log: string, flags: ArenaFlags) =>
      exit(verdict(await (await commands()).printArenaInfo(data, log, flags, io))),
    )
  arena
    .command('check <DATA> <LOG>')
    .description('compare every page and every record with its checksum; changes nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem arena check index.data index.log'))
    .action(async (data: string, log: string, flags: ArenaFlags) =>
      exit(verdict(await (await commands()).checkArenaFiles(data, log, flags, io))),
    )
  arena
    .command('log <DATA> <LOG>')
    .description('list the checkpoints that can be restored')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem arena log index.data index.log'))
    .action(async (data: string, log: string, flags: ArenaFlags) =>
      exit(verdict(await (await commands()).printCheckpoints(data, log, flags, io))),
    )
  arena
    .command('recover <DATA> <LOG>')
    .description('bring the data file up to date and cut the log to its least size')
    .option('--at <NUMBER>', 'go back to this checkpoint; later ones are lost')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('rpmem arena recover index.data index.log', 'rpmem arena recover index.data index.log --at 41'),
    )
    .action(async (data: string, log: string, flags: RecoverFlags) =>
      (await commands()).recoverArenaFiles(data, log, flags, io),
    )
  arena
    .command('restore <DATA> <LOG> <NUMBER>')
    .description('make a kept checkpoint the newest again; those in between are kept')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem arena restore index.data index.log 41'))
    .action(async (data: string, log: string, number: string, flags: ArenaFlags) =>
      (await commands()).restoreArena(data, log, number, flags, io),
    )
}

function addExplain(program: Command, io: Io): void {
  program
    .command('explain [CODE]')
    .description('say what an error code means and what to do; without CODE, list them all')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem explain ERR_HOST_KEY_UNKNOWN'))
    .action(async (code: string | undefined, { json = false }: Json) => {
      const { explanation } = await import('./explain-command.js')
      io.out(explanation(code, json, io))
    })
}
