import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A text file of the tree, with its path relative to the root and forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly lines: readonly string[]
}

export interface Violation {
  readonly path: string
  readonly line: number
  readonly rule: string
}

const foreign = new Set(['node_modules', 'dist', 'build', '.git', '.tap', '.lab'])

/** Every file below `root` whose name `wanted` accepts, sorted; what is built or fetched is left out. */
export function sourceFiles(root: string, wanted: (path: string) => boolean): SourceFile[] {
  const paths: string[] = []
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const full = join(folder, entry.name)
      if (entry.isDirectory() && !foreign.has(entry.name)) walk(full)
      else if (entry.isFile() && wanted(relative(root, full))) paths.push(relative(root, full))
    }
  }
  walk(root)
  return paths.sort().map(path => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n') }))
}

/** Prints each violation as `file:line: rule` and sets the exit code. */
export function report(name: string, violations: readonly Violation[], files: number): void {
  for (const { path, line, rule } of violations) console.error(`${path}:${line}: ${rule}`)
  if (violations.length > 0) process.exitCode = 1
  else console.log(`${name}: ${files} files, no violation`)
}
