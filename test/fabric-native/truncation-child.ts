import { copyFileSync, ftruncateSync, openSync, truncateSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker, workerData } from 'node:worker_threads'
import { hasCode } from '../../core/index.js'
import { attachMemory, NativeMemory } from '../../fabric-native/index.js'

/** A process that meets SIGBUS in the way its first argument names; the second is a file of 8 pages. */

const size = 8 * 4096

/** Stores into a page that is gone, then says what the memory says. */
function storeBeyondTheEnd(memory: NativeMemory): void {
  memory.view(0, size).fill(1)
  try {
    memory.persist(0, size)
  } catch (error) {
    if (hasCode(error, 'ERR_POOL_TRUNCATED')) say(error.code)
  }
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

/** Runs code of a library whose file has shrunk, so that the fault is in a mapping of somebody else. */
function runTruncatedCode(copy: string): void {
  const addon = fileURLToPath(new URL('../../../build/Release/fabric_native.node', import.meta.url))
  copyFileSync(addon, copy)
  const foreign = createRequire(import.meta.url)(copy)
  say('ready')
  truncateSync(copy)
  foreign.mapAnonymous(4096)
}

function main(scenario: string, path: string): void {
  const fd = openSync(path, 'r+')
  const memory = NativeMemory.map([{ fd, offset: 0, length: size }])
  const scenarios: Record<string, () => void> = {
    store() {
      ftruncateSync(fd)
      storeBeyondTheEnd(memory)
    },
    worker() {
      ftruncateSync(fd)
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: memory.share() })
      // A memory that nobody holds any more may be closed before the thread attaches to it.
      worker.once('exit', () => memory.close())
    },
    sent() {
      say('ready')
      process.kill(process.pid, 'SIGBUS')
    },
    foreign: () => runTruncatedCode(`${path}.node`),
  }
  scenarios[scenario]?.()
}

if (typeof workerData === 'string') storeBeyondTheEnd(attachMemory(workerData))
else main(process.argv[2] ?? '', process.argv[3] ?? '')
