import { randomBytes } from 'node:crypto'
import { assert, MiB } from '../core/index.js'
import { NativeArenaMemory } from '../fabric-native/index.js'
import type { ArenaPorts } from './arena-ports.js'
import { contentAt } from './data-header.js'
import { NativeArenaFile } from './native-arena-file.js'

/** The operating system. */
export const nativePorts: ArenaPorts = {
  map(file, { size, reservation, tracking }) {
    assert(file instanceof NativeArenaFile, 'what is mapped is a file')
    return NativeArenaMemory.map(file.fd, size, { offset: contentAt, reservation, ...(tracking && { tracking }) })
  },
  now: () => Date.now(),
  randomLog: () => randomBytes(8).readBigUInt64LE(),
  logGrowth: MiB,
}
