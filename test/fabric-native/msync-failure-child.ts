import { openSync } from 'node:fs'
import { errno, isRpmemError } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { withGranularity } from '../fixture/mapped-file.js'

/** Runs with observed-msync.c preloaded; prints what each call met as JSON. */

const size = 8 * 4096
const fd = openSync(process.argv[2] ?? '', 'r+')
const open = (granularity: 'page' | 'cache_line') =>
  withGranularity(granularity, () => NativeMemory.map([{ fd, offset: 0, length: size }]))

function attempt(call: () => void): unknown {
  try {
    call()
    return 'done'
  } catch (error) {
    if (!isRpmemError(error)) throw error
    const cause = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined
    return { code: error.code, durability: error.durability, errno: error.errno, cause }
  }
}

function whileFailing<Result>(code: number, run: () => Result): Result {
  process.env.FAIL_MSYNC = String(code)
  try {
    return run()
  } finally {
    delete process.env.FAIL_MSYNC
  }
}

function meet(call: (memory: NativeMemory) => void): unknown {
  const memory = open('page')
  const first = whileFailing(errno.ENOSPC, () => attempt(() => call(memory)))
  const later = attempt(() => call(memory))
  const failure = isRpmemError(memory.failure) ? memory.failure.code : undefined
  memory.close()
  return { first, later, failure }
}

const healthy = NativeMemory.anonymous(size)
const report = {
  persist: meet(memory => memory.persist(0, 8)),
  deepPersist: meet(memory => memory.deepPersist(0, 8)),
  drain: meet(memory => {
    memory.flush(0, 8)
    memory.drain()
  }),
  copyIn: meet(memory => memory.copyIn(0, new Uint8Array(8))),
  fill: meet(memory => memory.fill(0, 1, 8)),
  move: meet(memory => memory.move(0, 8, 8)),
  copyFrom: meet(memory => memory.copyFrom(healthy, 0, 8)),
  interrupted: whileFailing(4, () => attempt(() => open('page').persist(0, 8))),
  dax: whileFailing(errno.EIO, () => attempt(() => open('cache_line').persist(0, 8))),
  flush: whileFailing(errno.EIO, () => attempt(() => open('page').flush(0, 8))),
}
process.stdout.write(JSON.stringify(report))
