import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { describe, formatBytes, hasCode, isRpmemError, pageSize, RpmemError, systemCode } from '../core/index.js'
import { readDevice } from '../pool/index.js'
import { loadPoolSet, type PartPlan, plan } from '../poolset/index.js'
import { type HeaderView, headerLines, headerView } from './header-text.js'
import type { Io } from './io.js'
import { paintFor } from './paint.js'

/** What `info` found out about one part. */
interface PartInfo {
  readonly path: string
  /** From 0, the master; undefined for a single file. */
  readonly replica: number | undefined
  readonly size: number | undefined
  readonly header: HeaderView | undefined
  readonly problem: string | undefined
  readonly hint?: string
}

/**
 * `rpmem info SET|FILE`: the header of every part, read without locking or mapping, as pmempool-info(1) does. Resolves with
 * whether every header that should be there is, with the right checksum.
 */
export async function printInfo(path: string, json: boolean, io: Io): Promise<boolean> {
  const parts = (await isPoolSet(path)) ? await setInfo(path) : [await partInfo({ path, hasHeader: true }, undefined)]
  if (json) io.out(`${JSON.stringify({ path, parts })}\n`)
  else for (const part of parts) io.out(partText(part, io))
  return parts.every(part => part.problem === undefined)
}

async function isPoolSet(path: string): Promise<boolean> {
  if (['.yaml', '.yml', '.ini'].includes(extname(path).toLowerCase())) return true
  const start = await firstBytes(path, 11)
  return start.bytes.toString('latin1') === 'PMEMPOOLSET'
}

async function setInfo(path: string): Promise<PartInfo[]> {
  const { replicas } = plan(await loadPoolSet(path))
  const parts = replicas.flatMap(({ parts }, replica) => parts.map(part => ({ part, replica })))
  if (parts.length === 0) throw noParts(path, replicas[0]?.directories[0]?.path)
  return Promise.all(parts.map(({ part, replica }) => partInfo(part, replica)))
}

const noParts = (path: string, directory: string | undefined): RpmemError =>
  new RpmemError('ERR_PART_MISSING', `${path}: the directory ${directory} holds no part yet`, {
    facts: { path, directory },
  })

async function partInfo(
  part: Pick<PartPlan, 'path' | 'hasHeader'> & { size?: number },
  replica: number | undefined,
): Promise<PartInfo> {
  const none = { path: part.path, replica, size: undefined, header: undefined }
  try {
    return { ...none, ...judged(part, await firstBytes(part.path, pageSize)) }
  } catch (error) {
    // The path stands above and the system says no more than the code.
    if (hasCode(error, 'ERR_PART_MISSING')) return { ...none, problem: `${error.code}: not there`, hint: error.hint }
    return { ...none, problem: describe(error).join(': '), ...(isRpmemError(error) && { hint: error.hint }) }
  }
}

type Judged = Pick<PartInfo, 'size' | 'header' | 'problem'>

function judged(part: { readonly hasHeader: boolean; readonly size?: number }, { bytes, size }: FirstBytes): Judged {
  const known = { size, header: undefined, problem: undefined }
  if (part.size !== undefined && part.size !== size && size > 0) {
    return { ...known, problem: `has ${size} bytes, but the pool set says ${part.size}` }
  }
  if (!part.hasHeader) return known
  if (bytes.length < pageSize) return { ...known, problem: 'is too short for a header' }
  if (bytes.every(byte => byte === 0)) return { ...known, problem: 'has no header: its first page is empty' }
  const header = headerView(bytes)
  return { ...known, header, problem: header.checksumIsRight ? undefined : 'the checksum of the header is wrong' }
}

interface FirstBytes {
  readonly bytes: Buffer
  readonly size: number
}

async function firstBytes(path: string, count: number): Promise<FirstBytes> {
  try {
    const file = await open(path)
    try {
      if ((await file.stat()).isCharacterDevice()) return await beginOfDevice(path)
      const { bytesRead, buffer } = await file.read(Buffer.alloc(count), 0, count, 0)
      return { bytes: buffer.subarray(0, bytesRead), size: (await file.stat()).size }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw isRpmemError(error) ? error : unreadable(path, error)
  }
}

async function beginOfDevice(path: string): Promise<FirstBytes> {
  const found = await readDevice(path)
  if (found) return { bytes: Buffer.from(found.page), size: found.size }
  throw new RpmemError('ERR_PART_ACCESS', `${path} is a device, but no device DAX`, { facts: { path } })
}

function unreadable(path: string, cause: unknown): RpmemError {
  const facts = { path }
  if (systemCode(cause) === 'ENOENT') {
    return RpmemError.wrap('ERR_PART_MISSING', `${path} does not exist`, cause, { facts })
  }
  if (systemCode(cause) === 'EISDIR') {
    const hint = 'Name a pool set file, or one file that is part of a pool.'
    return RpmemError.wrap('ERR_PART_ACCESS', `${path} is a directory`, cause, { facts, hint })
  }
  return RpmemError.wrap('ERR_PART_ACCESS', `${path} cannot be read`, cause, { facts })
}

function partText({ path, replica, size, header, problem, hint }: PartInfo, io: Io): string {
  const paint = paintFor(io)
  const place = replica === undefined ? '' : replica === 0 ? ', master replica' : `, local replica ${replica}`
  const head = `${paint.title(path)}${size === undefined ? '' : ` (${formatBytes(size)})`}${place}`
  const lines = header ? headerLines(header) : problem ? [] : ['  no header (NOHDRS or SINGLEHDR)']
  if (problem) lines.push(`  ${paint.bad(problem)}`)
  if (hint) lines.push(`  hint: ${hint}`)
  return `${[head, ...lines].join('\n')}\n`
}
