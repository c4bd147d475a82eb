import { extname } from 'node:path'
import { Assembly } from './assembly.js'
import type { Entry } from './entry.js'
import { type FileFacts, systemFiles } from './file-facts.js'
import { printIni } from './ini-printer.js'
import { readIni } from './ini-reader.js'
import { MistakeList } from './mistake.js'
import type { PoolSet } from './pool-set.js'
import { checkEncoding, type Source, sourceOf } from './source.js'
import { printText } from './text-printer.js'
import { isForeign, readText, signature } from './text-reader.js'
import { printYaml } from './yaml-printer.js'
import { readYaml } from './yaml-reader.js'

/** PMDK's own text, YAML, INI. */
export const notations = ['text', 'yaml', 'ini'] as const
export type Notation = (typeof notations)[number]

export interface ParseOptions {
  /** For messages, and where the content does not tell it, for the notation. */
  readonly file?: string
  /** Instead of recognising it. */
  readonly notation?: Notation
  /** Default: the file system of this machine. */
  readonly facts?: FileFacts
}

/** Bytes: some ten thousand parts. Parsing YAML takes up to four seconds and a hundred times its size in memory for that much. */
export const fileSizeLimit = 1024 * 1024

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
  const notation = options.notation ?? recogniseNotation(source.text, file)
  const entries = readers[notation](source, mistakes)
  if (entries === undefined) mistakes.report(file)
  // A structure that is wrong leaves gaps, which must not be told again as missing parts.
  const hasGaps = notation !== 'text' && !mistakes.isEmpty
  const set = new Assembly(options.facts ?? systemFiles, mistakes, hasGaps).assemble(
    entries ?? [],
    source.lines.length + 1,
  )
  mistakes.report(file)
  return set
}

/** By the signature of the text form, else by the extension; what has neither is held to the text form. */
function recogniseNotation(text: string, file: string): Notation {
  if (text.startsWith(signature)) return 'text'
  return notationOfFile(file) ?? 'text'
}

/** By the extension alone, for a file that is to be written: `.set` and `.txt` mean text. */
export const notationOfFile = (file: string): Notation | undefined => extensions.get(extname(file).toLowerCase())

const extensions = new Map<string, Notation>([
  ['.set', 'text'],
  ['.txt', 'text'],
  ['.yaml', 'yaml'],
  ['.yml', 'yaml'],
  ['.ini', 'ini'],
])

/** Prints what was read, comments included. ERR_POOLSET_CONVERSION if the notation cannot express a word or a comment. */
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
  yaml: readYaml,
  ini: readIni,
}

const printers: Record<Notation, (lines: PoolSet['lines']) => string> = {
  text: printText,
  yaml: printYaml,
  ini: printIni,
}
