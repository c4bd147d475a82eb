import { minimumPartSize } from './limits.js'
import { type DirectoryFile, type LocalReplicaSpec, localReplicas, type PartSpec, type PoolSet } from './pool-set.js'

/** `000012.pmem` → 12; undefined for a name that no pool gives a file. Source: PMDK's set.c. */
export function fileNumber(path: string): number | undefined {
  const name = /(?:^|\/)(\d{1,9})\.pmem$/.exec(path)?.[1]
  return name === undefined ? undefined : Number(name)
}

const fileName = (number: number): string => `${String(number).padStart(6, '0')}.pmem`

/** In the order of their numbers, which run through all directories of a replica. */
export const filesOf = (parts: readonly PartSpec[]): DirectoryFile[] =>
  parts.flatMap(part => part.files).sort((a, b) => (fileNumber(a.path) ?? -1) - (fileNumber(b.path) ?? -1))

/** What another replica has and this one lacks is taken to be missing from its first directory. Source: PMDK's set.c. */
export function completed(parts: readonly PartSpec[], most: readonly DirectoryFile[]): readonly PartSpec[] {
  const [first, ...rest] = parts
  const have = new Set(filesOf(parts).map(({ path }) => fileNumber(path)))
  if (first === undefined || have.size >= most.length) return parts
  const missing = most.flatMap(({ path, size }) => {
    const number = fileNumber(path)
    return number === undefined || have.has(number) ? [] : [newFile(first, number, size)]
  })
  return [{ ...first, files: [...first.files, ...missing] }, ...rest]
}

/** The set with one more file in each replica, `size` bytes long, that does not exist yet. Directories take turns. */
export function withNextFiles(set: PoolSet, size: number): PoolSet {
  const replicas = set.replicas.map(replica =>
    replica.kind === 'local' ? { ...replica, parts: withNextFile(replica, size) } : replica,
  )
  return { ...set, replicas }
}

function withNextFile({ parts }: LocalReplicaSpec, size: number): PartSpec[] {
  const number = filesOf(parts).length
  return parts.map((part, index) =>
    index === number % parts.length ? { ...part, files: [...part.files, newFile(part, number, size)] } : part,
  )
}

const newFile = ({ path }: PartSpec, number: number, size: number): DirectoryFile => ({
  path: `${path.replace(/\/+$/, '')}/${fileName(number)}`,
  size,
  exists: false,
})

/** Why the files in the directories of a replica cannot be its parts, a line each. */
export function fileProblems({ parts }: LocalReplicaSpec): { path: string; message: string }[] {
  const files = filesOf(parts)
  return files.flatMap(({ path, size }, index) => {
    const number = fileNumber(path)
    if (number === undefined)
      return [{ path, message: `${path} is not named as a part is: 000000.pmem, 000001.pmem, …` }]
    if (index > 0 && fileNumber(files[index - 1]?.path ?? '') === number)
      return [{ path, message: `${path} has the number of ${files[index - 1]?.path}` }]
    if (number !== index)
      return [{ path, message: `${path} is part ${number}, but there is no part ${index} before it` }]
    if (size < minimumPartSize)
      return [{ path, message: `${path} has ${size} bytes; a part has at least ${minimumPartSize}` }]
    return []
  })
}

/** Replicas over directories that hold no file yet. */
export const isEmptyDirectorySet = (set: PoolSet): boolean =>
  localReplicas(set).every(({ parts }) => parts.every(({ kind, files }) => kind === 'directory' && files.length === 0))
