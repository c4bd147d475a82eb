import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { NativeMemory } from '../../fabric-native/index.js'
import { withGranularity } from '../fixture/mapped-file.js'

/** Runs with observed-msync.c preloaded: does each step and prints, as JSON, the ranges that it gave to msync. */

const path = process.argv[2] ?? ''
const steps: [string, ...number[]][] = JSON.parse(process.argv[3] ?? '[]')
const fd = openSync(path, 'r+')
const { size } = fstatSync(fd)
const memory = withGranularity('page', () => NativeMemory.map([{ fd, offset: 0, length: size }]))
const logPath = `${path}.msync`
const log = openSync(logPath, 'a')
process.env.LOG_MSYNC = String(log)

let read = 0
function newLines(): [address: number, length: number][] {
  const lines = readFileSync(logPath, 'latin1').trimEnd().split('\n').filter(Boolean)
  const fresh = lines.slice(read)
  read = lines.length
  return fresh.map(line => {
    const [address = 0, length = 0] = line.split(' ').map(Number)
    return [address, length]
  })
}

memory.persist(0, size)
const base = newLines()[0]?.[0] ?? 0

const calls: Record<string, (...values: number[]) => void> = {
  flush: (offset = 0, length = 0) => memory.flush(offset, length),
  persist: (offset = 0, length = 0) => memory.persist(offset, length),
  deepPersist: (offset = 0, length = 0) => memory.deepPersist(offset, length),
  drain: () => memory.drain(),
  copyIn: (offset = 0, length = 0, less = 0) =>
    memory.copyIn(offset, new Uint8Array(length).fill(1), { noFlush: less === 2, noDrain: less === 1 }),
}

const report = steps.map(([name, ...values]) => {
  calls[name]?.(...values)
  return newLines().map(([address, length]) => [address - base, length])
})
closeSync(log)
process.stdout.write(JSON.stringify(report))
