import { assert, type PoolAttributes, type Random, RpmemError, systemRandom } from '../core/index.js'
import { encodeHeader, type PartHeader } from './header.js'
import { checkAttributes, completeAttributes, headersOf } from './header-attributes.js'
import { checkHeaders } from './header-check.js'
import { checkPlaces, type HeaderOptions, type PartPlace, type ReplicaLayout, replicaLayout } from './layout.js'
import { nativeStorage } from './native-storage.js'
import { Part } from './part.js'
import { devicesBelow, keepsShutdownState } from './part-devices.js'
import { at, discarding } from './part-list.js'
import { ReplicaParts } from './replica-parts.js'
import { checkShutdownState, unknownDevices } from './shutdown-state.js'
import type { Storage } from './storage.js'
import { takeBack } from './taking-back.js'

export interface ReplicaPartsRequest {
  /** The files of the replica, in order. */
  readonly parts: readonly PartPlace[]
  readonly options: HeaderOptions
  /** Default: the operating system's. */
  readonly storage?: Storage
  /** Bytes of address space to be kept for parts that come later; default: none. */
  readonly reservation?: number
  /** Beside which file the notes of a replica on a device lie; default: beside the device. */
  readonly notesBeside?: string | undefined
}

export interface CreateReplicaPartsRequest extends ReplicaPartsRequest {
  /**
   * What goes into the headers; undefined (or all zero) for NOHDRS. Zero UUIDs and flags are filled in: a target passes on
   * what it received, a pool sets the links between its replicas.
   */
  readonly attributes: PoolAttributes | undefined
  /** Of new files; default 0600. */
  readonly mode?: number
  readonly random?: Random
}

/**
 * Makes the parts of one replica: files with all their space, locked, mapped as one range, with durable headers. A part
 * that exists must have exactly its size and a zero header page. After a failure nothing of this attempt is left.
 * Errors: ERR_ATTRIBUTES, ERR_PART_SIZE, ERR_PART_EXISTS, ERR_PART_ACCESS, ERR_PART_IO, ERR_DISK_FULL, ERR_POOL_BUSY,
 * ERR_POOLSET_UNSUITABLE, ERR_MAP. Source: rpmem_create(3), reference pool-format 3.1 and 4.
 */
export async function createReplicaParts(request: CreateReplicaPartsRequest): Promise<ReplicaParts> {
  const { parts: places, options, storage = nativeStorage, random = systemRandom, mode = 0o600 } = request
  checkPlaces(places)
  checkAttributes(request.attributes, options)
  const layout = replicaLayout(places, options)
  const parts: Part[] = []
  const written: Part[] = []
  try {
    for (const place of places) parts.push(await Part.create(place, storage))
    const withHeader = parts.slice(0, layout.headers)
    for (const part of withHeader) await part.checkHeaderIsFree()
    const headers = await newHeaders(withHeader, request.attributes, random)
    for (const [index, part] of withHeader.entries()) {
      written.push(part)
      await part.writeHeader(encodeHeader(at(headers, index)))
    }
    for (const part of parts) await part.publish(mode)
    return await ready(parts, headers, layout, written, request)
  } catch (error) {
    throw await takeBack(error, [...discarding(parts, written), ...parts.map(part => () => part.close())])
  }
}

/**
 * Opens what createReplicaParts or PMDK 1.12 made. Every part must exist, be free and have exactly its size; headers are
 * validated, and so is the shutdown state where the pool keeps one.
 * Errors: ERR_PART_MISSING, ERR_PART_SIZE, ERR_PART_ACCESS, ERR_PART_IO, ERR_POOL_BUSY, ERR_HEADER_INVALID,
 * ERR_SHUTDOWN_STATE, ERR_POOLSET_UNSUITABLE, ERR_MAP. Source: rpmem_open(3), reference pool-format 3.3.
 */
export async function openReplicaParts(request: ReplicaPartsRequest): Promise<ReplicaParts> {
  const { parts: places, options, storage = nativeStorage } = request
  checkPlaces(places)
  const layout = replicaLayout(places, options)
  const parts: Part[] = []
  try {
    for (const place of places) parts.push(await Part.open(place, storage))
    const headers = await readHeaders(parts.slice(0, layout.headers))
    return await ready(parts, headers, layout, undefined, request)
  } catch (error) {
    throw await takeBack(
      error,
      parts.map(part => () => part.close()),
    )
  }
}

async function ready(
  parts: readonly Part[],
  headers: readonly PartHeader[],
  layout: ReplicaLayout,
  written: readonly Part[] | undefined,
  { storage = nativeStorage, reservation, notesBeside }: ReplicaPartsRequest,
): Promise<ReplicaParts> {
  checkAlignment(parts, layout)
  const [first] = headers
  const devices = keepsShutdownState(first) ? devicesBelow(parts, storage) : unknownDevices
  if (keepsShutdownState(first)) checkShutdownState(first.shutdownState, at(parts, 0).path, devices)
  const memory = storage.map(
    layout.pieces
      .filter(piece => piece.length > 0)
      .map(({ part, fileOffset, length }) => ({ fd: at(parts, part).fd, offset: fileOffset, length })),
    reservation,
  )
  const replica = new ReplicaParts(parts, headers, layout, written, memory, { storage, notesBeside })
  try {
    await replica.markOpen(true, devices)
    return replica
  } catch (error) {
    memory.close()
    throw error
  }
}

/** Of a device only whole units can be mapped, at addresses that are multiples of them. */
function checkAlignment(parts: readonly Part[], { pieces }: ReplicaLayout): void {
  for (const { part, fileOffset, poolOffset, length } of pieces) {
    const { path, deviceAlignment = 1 } = at(parts, part)
    if ([fileOffset, poolOffset, length].every(number => number % deviceAlignment === 0)) continue
    const message = `${path} can only be mapped in units of ${deviceAlignment} bytes`
    throw new RpmemError('ERR_POOLSET_UNSUITABLE', message, {
      facts: { part: path, alignment: deviceAlignment, fileOffset, poolOffset, length },
      hint: 'Several devices make a pool with the option SINGLEHDR; or configure them with an alignment of 4096 bytes.',
    })
  }
}

async function newHeaders(parts: readonly Part[], attributes: PoolAttributes | undefined, random: Random) {
  if (parts.length === 0) return []
  assert(attributes !== undefined, 'headers are made of attributes')
  const times: bigint[] = []
  for (const part of parts) times.push(await part.changedAt())
  return headersOf(completeAttributes(attributes, random), times, random)
}

async function readHeaders(parts: readonly Part[]): Promise<PartHeader[]> {
  const pages: { path: string; page: Uint8Array }[] = []
  for (const part of parts) pages.push({ path: part.path, page: await part.readHeader() })
  return checkHeaders(pages)
}
