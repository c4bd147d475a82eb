import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { Lanes } from '../../fabric-native/index.js'
import { NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { poolSize, tokensFor } from './compliance.js'

export interface DistantPair {
  readonly target: ChildProcess
  readonly lanes: Lanes
  readonly memory: NativeMemory
}

/** Lanes to a target in another process, which is gone when the test ends. */
export async function connectProcess(t: Test, provider: 'tcp' | 'sockets', lanes = 1): Promise<DistantPair> {
  const script = fileURLToPath(new URL('service-child.js', import.meta.url))
  const target = fork(script, [provider, String(lanes), String(poolSize)])
  const ended = once(target, 'exit')
  const [{ port, rkey, raddr }] = await once(target, 'message')
  const memory = NativeMemory.anonymous(poolSize)
  const connected = await nativeFabric.connect({
    ...{ provider, address: '127.0.0.1', port, memory, size: poolSize, lanes, inlineSize: 8192 },
    ...{ dialect: 'rpmem', method: 'GPSPM', rkey: BigInt(rkey), raddr: BigInt(raddr), tokens: tokensFor(lanes) },
  })
  t.teardown(async () => {
    await connected.close()
    memory.close()
    target.kill('SIGKILL')
    await ended
  })
  return { target, lanes: connected, memory }
}

/** Stops every thread of a process; the signal alone takes effect some time after kill(2) has returned. */
export async function stop(target: ChildProcess): Promise<void> {
  target.kill('SIGSTOP')
  const tasks = `/proc/${target.pid}/task`
  const stopped = (task: string) => /\) T /.test(readFileSync(`${tasks}/${task}/stat`, 'latin1'))
  while (!readdirSync(tasks).every(stopped)) await new Promise(setImmediate)
}
