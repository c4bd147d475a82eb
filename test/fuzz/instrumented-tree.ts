import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { instrument } from './instrumentation.js'

/** Counters of one file of the tree. */
export interface InstrumentedFile {
  readonly path: string
  readonly first: number
  readonly counters: number
  readonly literals: readonly string[]
}

export const instrumentedTree = resolve('build/fuzz/tree')
const manifest = join(instrumentedTree, 'counters.json')

/** What is not judged is not counted: tests and their fixtures, but for the targets themselves. */
const rooms = ['core', 'wire', 'poolset', 'pool', 'lpsm', 'initiator', 'target', 'test/fuzz/targets']

/** Copies dist/ to build/fuzz/tree, with counters in the rooms that read foreign bytes. Run from the root of the repository. */
export function buildInstrumentedTree(): void {
  const dist = join(instrumentedTree, 'dist')
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(instrumentedTree, { recursive: true })
  cpSync('dist', dist, { recursive: true })
  mkdirSync(join(instrumentedTree, 'build'), { recursive: true })
  // The addon lies where the copy looks for it.
  for (const name of ['package.json', 'node_modules', 'test', 'build/Release']) {
    if (!existsSync(join(instrumentedTree, name))) symlinkSync(resolve(name), join(instrumentedTree, name))
  }
  let first = 0
  const files = rooms.flatMap(room => modules(join(dist, room))).sort()
  const instrumented = files.map((path): InstrumentedFile => {
    const { source, counters, literals } = instrument(readFileSync(path, 'utf8'), first)
    writeFileSync(path, source)
    first += counters
    return { path, first: first - counters, counters, literals }
  })
  writeFileSync(manifest, JSON.stringify(instrumented))
}

export const instrumentedFiles = (): readonly InstrumentedFile[] => JSON.parse(readFileSync(manifest, 'utf8'))

const modules = (folder: string): string[] =>
  readdirSync(folder)
    .filter(name => name.endsWith('.js'))
    .map(name => join(folder, name))
