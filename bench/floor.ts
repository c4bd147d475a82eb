import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const source = join(root, 'bench', 'floor.cc')
const binary = join(root, 'build', 'bench-floor')

/** Compiles the plain TCP program when its source is newer. */
function build(): void {
  if (existsSync(binary) && statSync(binary).mtimeMs >= statSync(source).mtimeMs) return
  mkdirSync(join(root, 'build'), { recursive: true })
  execFileSync('c++', ['-std=c++20', '-O2', source, '-o', binary], { stdio: 'inherit' })
}

export interface Floor {
  readonly p50Us: number
  readonly p99Us: number
}

/** What a plain TCP exchange of `bytes` takes now, on this machine; measured right beside the scenario it belongs to. */
export function measureFloor(bytes: number, rounds: number): Floor {
  build()
  const line = execFileSync(binary, [String(bytes), String(rounds)], { encoding: 'utf8', timeout: 120_000 })
  const [p50Ns = Number.NaN, p99Ns = Number.NaN] = line.trim().split(' ').map(Number)
  return { p50Us: p50Ns / 1000, p99Us: p99Ns / 1000 }
}
