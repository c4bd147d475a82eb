import type { Command } from 'commander'
import type { EventsFlags } from './events-command.js'
import { examples, type Json, withRate, withTargetOptions, withTimeout } from './flags.js'
import type { Io } from './io.js'
import type { MetricsFlags } from './metrics-command.js'
import type { PromoteFlags, ResolveFlags } from './promote-command.js'
import type { RestoreFlags } from './restore-command.js'
import type { SyncFlags } from './sync-command.js'
import type { TransformFlags } from './transform-command.js'
import type { VerifyFlags } from './verify-command.js'
import type { WaitFlags } from './wait-command.js'

/** The commands about replicas. Each `done` gets whether all is well, which is the exit code. */
export function addReplicationCommands(program: Command, io: Io, done: (good: boolean) => void): void {
  addStatus(program, io, done)
  addEvents(program, io)
  addWait(program, io)
  addMetrics(program, io)
  addSync(program, io)
  addVerify(program, io, done)
  addRestore(program, io, done)
  addTransform(program, io)
  addPromote(program, io)
  addResolve(program, io)
}

function addStatus(program: Command, io: Io, done: (good: boolean) => void): void {
  program
    .command('status <SET>')
    .description(
      'say how the replicas of a pool stand, also while another process has it open; asks no target. ' +
        'Exit code 0 only if every replica is known to miss nothing',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem status orders.set', 'rpmem status orders.set --json'))
    .action(async (file: string, { json = false }: Json) =>
      done(await (await import('./status-command.js')).printStatus(file, json, io)),
    )
}

function addEvents(program: Command, io: Io): void {
  withTimeout(program.command('events <SET>'), 'end after that; default: at an interrupt')
    .description('print a line for each change of a pool and its replicas, beginning with how they stand')
    .option('--json', 'a line of JSON each')
    .addHelpText('after', examples('rpmem events orders.set', 'rpmem events orders.set --json --timeout 60'))
    .action(async (file: string, flags: EventsFlags) =>
      (await import('./events-command.js')).followEvents(file, flags, io),
    )
}

function addWait(program: Command, io: Io): void {
  withTimeout(program.command('wait <SET>'), 'fail after that; default: wait for ever')
    .description('wait until the replicas of a pool stand as asked for; whoever has it open brings them there')
    .requiredOption('--synced', 'until every replica is known to miss nothing')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem wait orders.set --synced', 'rpmem wait orders.set --synced --timeout 60'))
    .action(async (file: string, flags: WaitFlags) => (await import('./wait-command.js')).waitSynced(file, flags, io))
}

function addMetrics(program: Command, io: Io): void {
  program
    .command('metrics <SET>')
    .description('print what is counted of an open pool in the text format of Prometheus, or serve it')
    .option('--listen <[HOST:]PORT>', 'serve it at http://HOST:PORT/metrics until an interrupt; HOST is 127.0.0.1')
    .addHelpText('after', examples('rpmem metrics orders.set', 'rpmem metrics orders.set --listen 9464'))
    .action(async (file: string, flags: MetricsFlags) =>
      (await import('./metrics-command.js')).giveMetrics(file, flags, io),
    )
}

function addSync(program: Command, io: Io): void {
  const command = withTargetOptions(program.command('sync <SET>'))
  withRate(withTimeout(command, 'give up after that'), 'most bytes a second that a replica is sent')
    .description('bring every replica into step; needs the pool to be closed')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem sync orders.set', 'rpmem sync orders.set --timeout 60 --rate 50M'))
    .action(async (file: string, flags: SyncFlags) => (await import('./sync-command.js')).syncPool(file, flags, io))
}

function addVerify(program: Command, io: Io, done: (good: boolean) => void): void {
  const command = withTargetOptions(program.command('verify <SET>'))
  withRate(withTimeout(command, 'give up after that'), 'most bytes a second that are compared')
    .description(
      'compare every replica with the master by checksums; needs the pool to be closed. ' +
        'Exit code 0 only if all is equal in the end',
    )
    .option('--repair', 'send what differs again; without it nothing is changed anywhere')
    .option('--range <OFFSET:LENGTH>', 'only these bytes of the pool; repeatable', gatheredRange)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'rpmem verify orders.set',
        'rpmem verify orders.set --repair',
        'rpmem verify orders.set --repair --range 0:64K',
      ),
    )
    .action(async (file: string, flags: VerifyFlags) =>
      done(await (await import('./verify-command.js')).verifyPool(file, flags, io)),
    )
}

const gatheredRange = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

function addRestore(program: Command, io: Io, done: (good: boolean) => void): void {
  withRate(withTargetOptions(program.command('restore <SET>')), 'most bytes a second that are copied or compared')
    .description(
      'make lost replicas again from a good one, the master too, and verify the others; needs the pool to be closed. ' +
        'Exit code 0 only if all replicas were found equal',
    )
    .option('--from <REPLICA>', 'believe this one (`master`, `local replica 1`, or `NODE SET` in the pool set)')
    .option('--force', 'also overwrite what is left of a replica that is damaged')
    .option('--dry-run', 'tell what would happen')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('rpmem restore orders.set --dry-run', 'rpmem restore orders.set'))
    .action(async (file: string, flags: RestoreFlags) =>
      done(await (await import('./restore-command.js')).restorePool(file, flags, io)),
    )
}

function addTransform(program: Command, io: Io): void {
  withRate(withTargetOptions(program.command('transform <SET> <NEWSET>')), 'most bytes a second that are copied')
    .description(
      'make the closed pool of SET that of NEWSET: add, remove, reorder replicas or give them other parts. ' +
        'What is added is copied and verified first, what is removed goes last',
    )
    .option('--dry-run', 'tell what would happen')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples('rpmem transform orders.set orders-3.set --dry-run', 'rpmem transform orders.set orders-3.set'),
    )
    .action(async (file: string, next: string, flags: TransformFlags) =>
      (await import('./transform-command.js')).transformPool(file, next, flags, io),
    )
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
