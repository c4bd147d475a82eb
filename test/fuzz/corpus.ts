import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Inputs as files, whose names mean nothing to the program. Sorted by name, so that runs repeat. */
export function readInputs(folder: string): Uint8Array[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map(name => new Uint8Array(readFileSync(join(folder, name))))
}

/** Writes an input under the beginning of its SHA-256; the path. */
export function writeInput(folder: string, input: Uint8Array): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, createHash('sha256').update(input).digest('hex').slice(0, 16))
  writeFileSync(path, input)
  return path
}
