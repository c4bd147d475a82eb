import { Command, CommanderError } from 'commander'
import { hasCode, RpmemError } from '../core/index.js'
import type { CreateFlags } from './create-command.js'
import { errorJson, errorText } from './error-text.js'
import type { Io } from './io.js'
import type { PromoteFlags, ResolveFlags } from './promote-command.js'
import type { RmFlags } from './rm-command.js'
import type { SyncFlags, VerifyFlags } from './sync-command.js'
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
  addStatus(program, io, exit)
  addSync(program, io, exit)
  addPromote(program, io)
  addResolve(program, io)
  addExplain(program, io)
  return program
}

const verdict = (good: boolean): number => (good ? exitCodes.ok : exitCodes.failed)

interface Json {
  readonly json?: boolean
}

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

const gathered = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

/** What decides how targets are reached; the user's ssh configuration holds for the rest. */
const withTargetOptions = (command: Command): Command =>
  command
    .option('-i, --identity <FILE>', 'private key instead of those of the ssh configuration; repeatable', gathered)
    .option('--known-hosts <FILE>', 'host keys instead of those of the ssh configuration; repeatable', gathered)
    .option('--ssh-config <FILE>', 'instead of ~/.ssh/config')

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

function addStatus(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('status <SET>')
    .description('say what is known here of the replicas of a pool with a policy, also while it is open')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem status orders.set'))
    .action(async (file: string, { json = false }: Json) =>
      exit(verdict(await (await import('./status-command.js')).printStatus(file, json, io))),
    )
}

function addSync(program: Command, io: Io, exit: (code: number) => void): void {
  const commands = () => import('./sync-command.js')
  const seconds = (text: string): number => positive(text, '--timeout')
  withTargetOptions(program.command('sync <SET>'))
    .description('bring every replica into step; needs the pool to be closed')
    .option('--timeout <SECONDS>', 'give up after that', seconds)
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem sync orders.set', 'rpmem sync orders.set --timeout 60'))
    .action(async (file: string, flags: SyncFlags) => (await commands()).syncPool(file, flags, io))
  withTargetOptions(program.command('verify <SET>'))
    .description('compare every replica with the master by checksums; needs the pool to be closed')
    .option('--repair', 'send what differs again')
    .option('--rate <BYTES>', 'most bytes a second that are compared', text => positive(text, '--rate'))
    .option('--timeout <SECONDS>', 'give up bringing the replicas into step after that', seconds)
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem verify orders.set', 'rpmem verify orders.set --repair'))
    .action(async (file: string, flags: VerifyFlags) =>
      exit(verdict(await (await commands()).verifyPool(file, flags, io))),
    )
}

function positive(text: string, flag: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new RpmemError('ERR_USAGE', `${flag} takes a number above zero, not '${text}'`)
}

function addPromote(program: Command, io: Io): void {
  program
    .command('promote <SET>')
    .description('on a target: make its copy the one that is written, and refuse the writer of before')
    .option('--dry-run', 'tell what would happen')
    .option('--force', 'also a copy that was being brought up to date')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem promote /var/lib/rpmemd/orders.set --dry-run'))
    .action(async (file: string, flags: PromoteFlags) =>
      (await import('./promote-command.js')).promotePool(file, flags, io),
    )
}

function addResolve(program: Command, io: Io): void {
  withTargetOptions(program.command('resolve <SET> <REPLICA>'))
    .description('decide for the copy here against a replica that went on without it (as `NODE SET` in the pool set)')
    .option('--dry-run', 'tell how much would be overwritten')
    .option('--json', 'print JSON')
    .addHelpText('after', examples("rpmem resolve orders.set 'node2 orders.set' --dry-run"))
    .action(async (file: string, replica: string, flags: ResolveFlags) =>
      (await import('./promote-command.js')).resolveReplica(file, replica, flags, io),
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

const examples = (...lines: string[]): string => `\nExamples:\n${lines.map(line => `  $ ${line}\n`).join('')}`
