import { createHash } from 'node:crypto'
import { MiB } from '../core/index.js'
import { blockSumSize, type Keeping } from '../pool/index.js'
import type { Grant, Session } from './session.js'

/** Reads what the target holds: RemotePool. */
export interface RemoteReader {
  read(offset: number, into: Uint8Array): Promise<void>
}

/** PMDK's daemon keeps no records and computes nothing: its copy is read back, all of it each time it was away. */
export function keepingOf(session: Session, grant: Grant, reader: RemoteReader): Keeping {
  const { adopt, sums } = session
  const read = reader.read.bind(reader)
  if (adopt && sums) {
    return { record: grant.record, adopt: adopt.bind(session), sums: sums.bind(session), read }
  }
  return { record: undefined, adopt: async () => {}, sums: (...blocks) => readSums(reader, ...blocks), read }
}

const pieceSize = MiB

async function readSums(reader: RemoteReader, offset: number, length: number, blockSize: number): Promise<Uint8Array> {
  const sums = new Uint8Array(Math.ceil(length / blockSize) * blockSumSize)
  for (let at = 0, index = 0; at < length; at += blockSize, index++) {
    const sum = createHash('sha256')
    const end = Math.min(at + blockSize, length)
    for (let from = at; from < end; from += pieceSize) {
      const piece = new Uint8Array(Math.min(pieceSize, end - from))
      await reader.read(offset + from, piece)
      sum.update(piece)
    }
    sums.set(sum.digest().subarray(0, blockSumSize), index * blockSumSize)
  }
  return sums
}
