import { errno } from '../core/index.js'
import { type Entry, hasControls, type Word } from './entry.js'
import type { FileFact, FileFacts } from './file-facts.js'
import type { MistakeList } from './mistake.js'
import type { PartKind } from './pool-set.js'
import { parseSize } from './size.js'

/** A part whose words are right, with what its path is at present. */
export interface ReadPart {
  readonly entry: Entry
  readonly path: string
  readonly size: number | bigint
  readonly kind: PartKind
  /** Of a directory, to find the same one under two names. */
  readonly realPath: string | undefined
}

/** Checks one part line by itself: its words, its size, its path. */
export function readPart(entry: Entry, facts: FileFacts, mistakes: MistakeList): ReadPart | undefined {
  const [size, path, extra] = entry.words
  if (size === undefined || path === undefined || extra !== undefined) {
    mistakes.add('token', extra ?? size ?? entry, tokenMessage(entry))
    return undefined
  }
  if (!isAbsolute(size, path, mistakes) || !isClean(path, mistakes)) return undefined
  const fact = facts.look(path.text)
  const bytes = size.text === 'AUTO' ? autoSize(size, path, fact, mistakes) : writtenSize(size, mistakes)
  const kind = partKind(path, fact, size.text !== 'AUTO', mistakes)
  if (bytes === undefined || kind === undefined) return undefined
  return { entry, path: path.text, size: bytes, kind, realPath: fact.kind === 'directory' ? fact.realPath : undefined }
}

export function tokenMessage(entry: Entry): string {
  const words = entry.words.map(word => word.text)
  const [first = ''] = words
  if (words.length === 0)
    return 'a line of blanks, or a comment that is indented; leave the line empty or begin it with #'
  if (/^(REPLICA|OPTION)$/i.test(first)) return `${first.toUpperCase()} must be in capitals and begin the line`
  if (words.length > 2) return 'a part line is a size and a path and nothing more; a path cannot contain blanks'
  return 'a part line is a size and a path, such as 8M /mnt/pool.part0'
}

function isAbsolute(size: Word, path: Word, mistakes: MistakeList): boolean {
  if (path.text.startsWith('/')) return true
  if (/^(REPLICA|OPTION)$/i.test(size.text)) {
    mistakes.add('path-absolute', size, `${size.text.toUpperCase()} must be in capitals and begin the line`)
  } else if (size.text.startsWith('/')) {
    mistakes.add('path-absolute', path, 'the size comes first, then the path')
  } else {
    mistakes.add('path-absolute', path, 'the path of a part must begin with /')
    if (size.text !== 'AUTO') writtenSize(size, mistakes)
  }
  return false
}

function isClean(path: Word, mistakes: MistakeList): boolean {
  if (!hasControls(path.text)) return true
  mistakes.add('character', path, 'the path of a part holds a control character')
  return false
}

function writtenSize(size: Word, mistakes: MistakeList): number | bigint | undefined {
  const bytes = parseSize(size.text)
  if (bytes === undefined) mistakes.add('size-format', size, sizeMessage(size.text))
  return bytes
}

const sizeGrammar = /^[+-]?[0-9]+(B|[KMGTP](iB)?|[kMGTP]B)?$/

function sizeMessage(text: string): string {
  if (/^[+-]?0+[A-Za-z]*$/.test(text)) return 'a part cannot have size 0'
  if (sizeGrammar.test(text)) return `${text} is a multiple of 2^64 bytes, which PMDK takes for 0`
  if (text.toUpperCase() === 'AUTO') return 'AUTO must be in capitals'
  const form =
    'a size is a whole number with an optional suffix: B, K M G T P, KiB … PiB (powers of 1024), kB … PB (of 1000)'
  return /^[0-9]+(k|KB)$/.test(text)
    ? `${form}; for ${text} write ${text.replace(/k|KB/, 'K')} or ${text.replace(/k|KB/, 'kB')}`
    : form
}

function autoSize(size: Word, path: Word, fact: FileFact, mistakes: MistakeList): number | undefined {
  if (fact.kind === 'device-dax') return fact.size
  const code = fact.kind === 'missing' ? errno.ENOENT : fact.kind === 'device' ? errno.EINVAL : 0
  const what = fact.kind === 'missing' ? 'does not exist' : 'is none'
  mistakes.add('size-auto', size, `AUTO takes the size from a Device DAX, but ${path.text} ${what}`, code)
  return undefined
}

/** With AUTO the same finding was already told of the size. */
function partKind(path: Word, fact: FileFact, tell: boolean, mistakes: MistakeList): PartKind | undefined {
  if (fact.kind === 'device' || fact.kind === 'other') {
    if (tell) mistakes.add('part-type', path, `${path.text} is neither a file, a directory nor a Device DAX`)
    return undefined
  }
  return fact.kind === 'missing' ? 'file' : fact.kind
}
