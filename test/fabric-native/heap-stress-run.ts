import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { temporaryFolder } from '../fixture/temporary-folder.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const source = join(root, 'fabric-native', 'src')
const core = readdirSync(source).filter(name => /^heap(-\w+)?\.cc$/.test(name) && !/face|handle/.test(name))

export const stressSeed = Number(process.env.RPMEM_TEST_SEED ?? 5)

/**
 * Threads in a small heap that is full most of the time, without Node.js around them, so that a sanitizer sees every instruction.
 * `rounds` of each thread; with one thread and with four.
 */
export async function stressHeap(t: Test, flags: readonly string[], rounds: number): Promise<void> {
  const program = join(temporaryFolder(t), 'heap-stress')
  const files = [join(root, 'test/fabric-native/heap-stress.cc'), ...core.map(file => join(source, file))]
  const warnings = ['-std=c++20', '-g', '-pthread', '-Wall', '-Wextra', '-Werror']
  await run('g++', [...warnings, ...flags, ...files, '-o', program])
  for (const threads of [1, 4]) {
    const task = [program, String(threads), String(rounds), String(stressSeed), '2']
    // ThreadSanitizer cannot place its shadow beside fully random addresses.
    const { stdout, stderr } = await run('setarch', ['-R', ...task], { env: { ...process.env, LD_PRELOAD: '' } })
    t.equal(stdout, 'ok\n', `${threads} threads`)
    t.equal(stderr, '')
  }
}
