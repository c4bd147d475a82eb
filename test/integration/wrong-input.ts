import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { describe, type ErrorCode, RpmemError } from '../../core/index.js'
import { Pool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { processIsThere, within } from './process-end.js'
import { localSet, type TargetHost } from './target-host.js'

/** One line of the table: how the mistake is made for real, and what must come of it. */
export interface WrongInput {
  readonly name: string
  readonly code: ErrorCode
  /** Facts of the error, as t.match takes them. */
  readonly facts?: Readonly<Record<string, unknown>>
  readonly hint?: RegExp
  /** Brings about what stands in the way; what it leaves must be the same afterwards. */
  readonly prepare?: (scene: Scene) => unknown
  readonly attempt: (scene: Scene) => Promise<unknown>
  /** Ends what `prepare` began. */
  readonly clear?: (scene: Scene) => unknown
}

/** A local folder, and a target of the same name on the host with a pool set of one part. */
export class Scene {
  readonly host: TargetHost
  readonly name: string
  readonly local: string
  readonly target: string
  /** For `prepare`: what `clear` needs. */
  open: Pool | undefined

  constructor(host: TargetHost, name: string) {
    this.host = host
    this.name = name
    this.local = join(host.folder, 'initiators', name)
    this.target = join(host.poolSets, name)
    mkdirSync(this.local, { recursive: true })
    host.replica(name, [['8M', 'part']])
  }

  get remote(): RemotePoolCreateOptions {
    return { ...this.host.options, lanes: 2 }
  }

  get replica(): string {
    return `REPLICA ${this.host.address} ${this.name}/x.set`
  }

  get part(): string {
    return join(this.target, 'part')
  }

  /** Another text for the pool set on the target. */
  poolSet(text: string): void {
    writeFileSync(join(this.target, 'x.set'), text)
  }

  /** A local pool set of a master and these lines. */
  set(...lines: readonly string[]): string {
    return localSet(this.local, `8M ${join(this.local, 'master')}`, ...lines)
  }

  /** Creates a pool with a replica on the target. */
  create(remote: RemotePoolCreateOptions = {}, line = this.replica): Promise<Pool> {
    return Pool.create(this.set(line), { remote: { ...this.remote, ...remote } })
  }
}

/** Runs the rows one after the other, each with targets and files of its own. */
export function proveWrongInput(t: Test, host: TargetHost, rows: readonly WrongInput[]): void {
  for (const [index, row] of rows.entries()) {
    t.test(`${row.name} is ${row.code} and leaves nothing behind`, t =>
      proveRow(t, row, new Scene(host, `row${index}`)),
    )
  }
}

async function proveRow(t: Test, row: WrongInput, scene: Scene): Promise<void> {
  await row.prepare?.(scene)
  if (!scene.open) await scene.host.allEnd()
  const before = whatIsThere(scene)
  const attempt = row.attempt(scene)
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  t.ok(error instanceof RpmemError, 'an error of the catalogue')
  if (error instanceof RpmemError) proveReadable(t, row, error)
  t.strictSame(files(scene), before.files, 'every file is as it was before')
  const daemonsEnd = await within(3000, () => scene.host.daemons().every(pid => before.daemons.includes(pid)))
  t.not(daemonsEnd, undefined, 'no daemon stays')
  t.ok(before.daemons.every(processIsThere), 'and none that was there is hurt')
  t.not(await within(3000, () => sockets() <= before.sockets), undefined, `no socket stays (${before.sockets})`)
  t.strictSame(locked(scene), before.locked, 'no lock stays')
  await row.clear?.(scene)
  await scene.host.allEnd()
}

function proveReadable(t: Test, row: WrongInput, error: RpmemError): void {
  const { code, facts = {}, hint = /./ } = row
  t.match(error, { code, facts, hint })
  const lines = describe(error)
  t.match(lines[0], new RegExp(`^${code}: .{8}`), 'it says in one line what is wrong')
  t.notMatch(lines.join('\n'), /undefined|\[object |NaN|PRIVATE KEY/, 'for people')
  t.match(error.hint, /^[A-Z`].*[.\w`]$/s, 'the hint is a sentence')
}

function whatIsThere(scene: Scene) {
  return { files: files(scene), daemons: scene.host.daemons(), sockets: sockets(), locked: locked(scene) }
}

/** Every file of the scene with its content, told by its hash. */
function files({ local, target }: Scene): Record<string, string> {
  const found: Record<string, string> = {}
  for (const path of [local, target].flatMap(pathsBelow)) {
    // The local pool set is the input itself.
    if (path.endsWith('/pool.set')) continue
    found[path] = statSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'no file'
  }
  return found
}

const pathsBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => join(folder, name))

/** Sockets that this process has open. */
export const sockets = (): number =>
  readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false
    }
  }).length

/** Files of the scene on which any process of the machine has a lock. */
function locked(scene: Scene): string[] {
  const inodes = new Set(
    readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .map(line => Number(/:(\d+) \d+ \S+$/.exec(line)?.[1])),
  )
  return [scene.local, scene.target].flatMap(pathsBelow).filter(path => inodes.has(statSync(path).ino))
}
