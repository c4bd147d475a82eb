import type { DirectoryFile, PartSpec } from './pool-set.js'

export const filesOf = (parts: readonly PartSpec[]): DirectoryFile[] => parts.flatMap(part => part.files)

/** What another replica has and this one lacks is taken to be missing from its first directory (PMDK's set.c). */
export function completed(parts: readonly PartSpec[], most: readonly DirectoryFile[]): readonly PartSpec[] {
  const [first, ...rest] = parts
  const count = filesOf(parts).length
  if (first === undefined || count >= most.length) return parts
  const have = new Set(filesOf(parts).map(file => baseName(file.path)))
  const missing = most.filter(file => !have.has(baseName(file.path)))
  const files = missing.map(file => ({ path: `${first.path}/${baseName(file.path)}`, size: file.size, exists: false }))
  return [{ ...first, files: [...first.files, ...files].sort((a, b) => (a.path < b.path ? -1 : 1)) }, ...rest]
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
