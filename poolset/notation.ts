import { Assembly } from './assembly.js'
import type { Entry } from './entry.js'
import { type FileFacts, systemFiles } from './file-facts.js'
import { MistakeList } from './mistake.js'
import type { PoolSet } from './pool-set.js'
import { checkEncoding, type Source, sourceOf } from './source.js'
import { printText } from './text-printer.js'
import { isForeign, readText } from './text-reader.js'

/** PMDK's own text, YAML, INI. */
export const notations = ['text'] as const
export type Notation = (typeof notations)[number]

export interface ParseOptions {
  /** For messages, and where the content does not tell it, for the notation. */
  readonly file?: string
  /** Instead of recognising it. */
  readonly notation?: Notation
  /** Default: the file system of this machine. */
  readonly facts?: FileFacts
}

/** Bytes; real sets are far below, and a parser needs a multiple of it in memory. */
export const fileSizeLimit = 4 * 1024 * 1024

/**
 * Reads a pool set in any notation. Paths are looked at through `facts` and not opened, except that the files of a directory
 * part are. Throws PoolSetSyntaxError with all mistakes. Source: poolset(5).
 */
export function parsePoolSet(content: Uint8Array | string, options: ParseOptions = {}): PoolSet {
  const source = sourceOf(content)
  const mistakes = new MistakeList(source.lines)
  const file = options.file ?? 'pool set'
  checkContent(content, mistakes)
  mistakes.report(file)
  const notation = options.notation ?? 'text'
  const entries = readers[notation](source, mistakes)
  if (entries === undefined) mistakes.report(file)
  const set = new Assembly(options.facts ?? systemFiles, mistakes).assemble(entries ?? [], source.lines.length + 1)
  mistakes.report(file)
  return set
}

export const printPoolSet = (set: PoolSet, notation: Notation): string => printers[notation](set.lines)

function checkContent(content: Uint8Array | string, mistakes: MistakeList): void {
  const start = { line: 1, column: 1 }
  if (content.length === 0) mistakes.add('empty-file', start, 'the file is empty', 0)
  if (content.length > fileSizeLimit) mistakes.add('file-size', start, `the file is larger than ${fileSizeLimit} bytes`)
  else if (typeof content !== 'string') checkEncoding(content, mistakes)
}

/** Undefined: nothing more than the mistakes so far is worth telling. */
type Reader = (source: Source, mistakes: MistakeList) => readonly Entry[] | undefined

const readers: Record<Notation, Reader> = {
  text(source, mistakes) {
    const entries = readText(source.lines, source.endsWithNewline, mistakes)
    return isForeign(source.lines) ? undefined : entries
  },
}

const printers: Record<Notation, (lines: PoolSet['lines']) => string> = { text: printText }
