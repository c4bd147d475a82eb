import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { MiB } from '../../core/index.js'

/** A file in the place of a disk or an NVDIMM. */
export interface Image {
  readonly path: string
  readonly size: number
  remove(): void
}

/** Empty where it was not written to yet, and without blocks there; `fresh` forgets what was. */
export function imageFile(path: string, sizeMiB: number, fresh?: 'fresh'): Image {
  mkdirSync(dirname(path), { recursive: true })
  const size = sizeMiB * MiB
  const file = openSync(path, fresh ? 'w' : 'a')
  ftruncateSync(file, size)
  closeSync(file)
  return { path, size, remove: () => rmSync(path, { force: true }) }
}
