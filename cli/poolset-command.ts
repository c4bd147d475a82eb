import { writeFile } from 'node:fs/promises'
import { formatBytes, RpmemError } from '../core/index.js'
import {
  loadPoolSet,
  localReplicas,
  type Notation,
  notations,
  type Plan,
  plan,
  printPoolSet,
  type ReplicaPlan,
  remoteReplicas,
} from '../poolset/index.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** `rpmem poolset check FILE`: all mistakes of the file, or one line; resolves with whether a pool can be made of it. */
export async function checkPoolSet(file: string, json: boolean, io: Io): Promise<boolean> {
  const set = await loadPoolSet(file)
  const { violations, poolSize, reservation } = plan(set)
  if (json) io.out(`${JSON.stringify({ file, usable: violations.length === 0, poolSize, reservation, violations })}\n`)
  else if (violations.length > 0) for (const { message } of violations) io.out(`${file}: ${message}\n`)
  else
    io.out(
      `${file}: ${counted(localReplicas(set).length, remoteReplicas(set).length)}, ${sizeText(poolSize, reservation)}, good\n`,
    )
  return violations.length === 0
}

/** Only directories have room to grow. */
const sizeText = (poolSize: number, reservation: number): string =>
  reservation > poolSize ? `${formatBytes(poolSize)}, room for ${formatBytes(reservation)}` : formatBytes(poolSize)

const counted = (local: number, remote: number): string =>
  `${local} local and ${remote} remote ${local + remote === 1 ? 'replica' : 'replicas'}`

/** `rpmem poolset convert FILE --to NOTATION`: the same set, comments included, on standard output or in a new file. */
export async function convertPoolSet(file: string, to: string, output: string | undefined, io: Io): Promise<void> {
  const text = printPoolSet(await loadPoolSet(file), notationNamed(to))
  if (output === undefined) io.out(text)
  // An existing file is never overwritten: it may be the set of a pool.
  else await writeFile(output, text, { flag: 'wx' }).catch(error => Promise.reject(notWritten(output, error)))
}

function notationNamed(name: string): Notation {
  const found = notations.find(notation => notation === name)
  if (found) return found
  throw new RpmemError('ERR_USAGE', `there is no notation ${name}`, { hint: `Use one of ${notations.join(', ')}.` })
}

const notWritten = (path: string, cause: unknown): RpmemError =>
  RpmemError.wrap('ERR_ARGUMENT', `${path} cannot be written`, cause, {
    facts: { path },
    hint: 'The output must not exist yet, and its directory must be writable.',
  })

/** `rpmem poolset plan FILE`: what becomes of the sizes. */
export async function planPoolSet(file: string, json: boolean, io: Io): Promise<boolean> {
  const result = plan(await loadPoolSet(file))
  io.out(json ? `${JSON.stringify(result)}\n` : planText(result, io))
  return result.violations.length === 0
}

function planText(result: Plan, io: Io): string {
  const paint = paintFor(io)
  const lines = [
    paint.title('pool'),
    `  size         ${exact(result.poolSize)}`,
    `  usable       ${exact(result.usableSize)}`,
    `  reservation  ${exact(result.reservation)}`,
    `  minimum      ${exact(result.minimum.poolSize)}; a part ${exact(result.minimum.partSize)}`,
    ...result.replicas.flatMap((replica, index) => replicaLines(replica, index, paint.title)),
    ...result.remotes.map(({ node, set }) => `${paint.title('remote replica')} ${set} on ${node}`),
    ...result.violations.map(({ message }) => `${paint.bad('cannot be used')}: ${message}`),
  ]
  return `${lines.join('\n')}\n`
}

function replicaLines(replica: ReplicaPlan, index: number, title: (text: string) => string): string[] {
  return [
    title(index === 0 ? 'master replica' : `local replica ${index}`),
    `  raw          ${exact(replica.rawSize)}`,
    `  headers      ${replica.headers}, ${exact(replica.headerSize)}`,
    `  usable       ${exact(replica.usableSize)}${replica.spareSize > 0 ? `, ${exact(replica.spareSize)} spare` : ''}`,
    ...replica.directories.map(
      ({ path, size, files }) =>
        `  directory    ${path}: reserves ${exact(size)}, holds ${files} ${files === 1 ? 'part' : 'parts'}`,
    ),
    ...replica.parts.map(
      ({ path, kind, size, poolOffset }) =>
        `  ${kind === 'device-dax' ? 'device DAX ' : 'part       '}  ${path}: ${exact(size)}, from ${poolOffset}`,
    ),
  ]
}

const exact = (bytes: number): string => (bytes < 1024 ? `${bytes} B` : `${bytes} B (${formatBytes(bytes)})`)
