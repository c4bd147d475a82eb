import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pageSize } from '../../core/index.js'

const directory = fileURLToPath(new URL('../../../test/vectors/headers/', import.meta.url))

export const vectorNames = readdirSync(directory).sort()

export interface VectorPage {
  readonly title: string
  readonly page: Uint8Array
}

/** The pages of one file of captured headers: a comment begins a page, a row is `offset: 16 bytes` in hex. */
export function readVector(name: string): VectorPage[] {
  const pages: { title: string; page: Uint8Array; rows: number }[] = []
  for (const line of readFileSync(directory + name, 'utf8').split('\n')) {
    const last = pages.at(-1)
    if (line.startsWith('#')) {
      if (last && last.rows === 0) last.title += line.slice(1)
      else pages.push({ title: line.slice(2), page: new Uint8Array(pageSize), rows: 0 })
    } else if (last && line.trim()) {
      const [offset, hex] = line.split(': ')
      last.page.set(Buffer.from(hex ?? '', 'hex'), Number.parseInt(offset ?? '', 16))
      last.rows++
    }
  }
  return pages
}
