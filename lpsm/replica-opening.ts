import { closeSync, ftruncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { assert, RpmemError } from '../core/index.js'
import { NativeArenaMemory, openUnnamedFile } from '../fabric-native/index.js'
import { Pool } from '../pool/index.js'
import { readWhole } from './arena-opening.js'
import type { ArenaPorts } from './arena-ports.js'
import type { ArenaReading } from './arena-reading.js'
import { contentAt } from './data-header.js'
import { poolGround } from './ground.js'
import { nativePorts } from './native-ports.js'
import { readingSize } from './pause.js'
import { PlaceHeader, type RegionFiles } from './place-header.js'
import { RegionFile } from './region-file.js'
import { WorkQueue } from './work-queue.js'

/** An arena in a pool of this machine, found whole, and what is to be closed behind it. */
export interface OpenReplica {
  readonly files: RegionFiles
  readonly ports: ArenaPorts
  readonly reading: ArenaReading
  readonly place: PlaceHeader
  release(): Promise<void>
}

/**
 * Opens the replica that a pool set of this machine describes. Nothing is written to it.
 * @throws ERR_ARENA_MISSING, ERR_ARENA_FOREIGN, ERR_ARENA_DAMAGED, and as Pool.open
 */
export async function openReplica(poolSet: string, verify: boolean): Promise<OpenReplica> {
  const pool = await Pool.open(poolSet, { signature: replicaSignature, alone: true })
  const copies: number[] = []
  const release = async (): Promise<void> => {
    for (const fd of copies.splice(0)) closeSync(fd)
    await pool.close()
  }
  try {
    const place = PlaceHeader.read(poolGround(pool, poolSet))
    if (!place) throw empty(poolSet)
    const files = place.files()
    const reading = await new WorkQueue().post(readWhole(files, verify))
    const map: ArenaPorts['map'] = (file, { size, reservation, tracking }) => {
      assert(file instanceof RegionFile, 'what is mapped is a region')
      const fd = unnamedCopy(file, size, reservation)
      copies.push(fd)
      return NativeArenaMemory.map(fd, size, { reservation, ...(tracking && { tracking }) })
    }
    return { files, place, reading, release, ports: { ...nativePorts, map } }
  } catch (error) {
    await release()
    throw error
  }
}

export const replicaSignature = 'RPMARENA'

const empty = (set: string): RpmemError =>
  new RpmemError('ERR_ARENA_MISSING', `${set}: no arena has been brought into this pool completely`, { facts: { set } })

/** The parts of a pool need not lie one behind the other, so the memory of an arena in it is a private image of a copy. */
function unnamedCopy(file: RegionFile, size: number, reservation: number): number {
  const fd = openUnnamedFile(tmpdir())
  try {
    ftruncateSync(fd, Math.min(reservation, file.capacity - contentAt))
    const chunk = new Uint8Array(readingSize)
    for (let done = 0; done < size; done += chunk.length) {
      const bytes = chunk.subarray(0, Math.min(chunk.length, size - done))
      file.read(contentAt + done, bytes)
      if (bytes.some(byte => byte !== 0)) writeWhole(fd, bytes, done)
    }
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function writeWhole(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
}
