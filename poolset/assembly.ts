import { errno, systemCode } from '../core/index.js'
import { completed, filesOf } from './directory-files.js'
import { type Entry, hasControls, lineOf, type Word } from './entry.js'
import type { FileFacts } from './file-facts.js'
import type { MistakeList, Place } from './mistake.js'
import { type ReadPart, readPart, tokenMessage } from './part-reader.js'
import type { DirectoryFile, PartSpec, PoolSet, RemoteReplicaSpec, ReplicaSpec } from './pool-set.js'

interface Section {
  readonly begin: Place
  readonly parts: ReadPart[]
  /** Wrong part lines count: the mistake in them is told once, not again as a missing part. */
  partCount: number
}

/**
 * Makes a pool set of entries in order of lines, whatever notation they came from, and adds every rule of poolset(5) that
 * they break to `mistakes`. The result means something only if there were none.
 */
export class Assembly {
  readonly #facts: FileFacts
  readonly #mistakes: MistakeList
  readonly #hasGaps: boolean
  readonly #options = { singleHeader: false, noHeaders: false }
  readonly #replicas: (Section | RemoteReplicaSpec)[]
  #section: Section = { begin: { line: 1, column: 1 }, parts: [], partCount: 0 }
  #sections = 1
  #remotes = 0
  /** After a remote replica no part may follow until a local one begins. */
  #takesParts = true
  #directory: boolean | undefined
  readonly #realPaths = new Map<string, number>()

  /** `hasGaps`: entries are missing for reasons already told, so that a lack of parts is not worth telling. */
  constructor(facts: FileFacts, mistakes: MistakeList, hasGaps = false) {
    this.#hasGaps = hasGaps
    this.#facts = facts
    this.#mistakes = mistakes
    this.#replicas = [this.#section]
  }

  /** `end` is the line after the last. */
  assemble(entries: readonly Entry[], end: number): PoolSet {
    for (const entry of entries) this.#take(entry)
    this.#finish({ line: end, column: 1 })
    const replicas = this.#withFiles()
    return { options: { ...this.#options }, replicas, lines: entries.map(lineOf) }
  }

  #take(entry: Entry): void {
    if (entry.kind === 'option') this.#option(entry)
    else if (entry.kind === 'part') this.#part(entry)
    else if (entry.kind === 'replica') this.#local(entry)
    else if (entry.kind === 'remote') this.#remote(entry)
  }

  #option(entry: Entry): void {
    if (entry.words.length === 0)
      this.#mistakes.add('option-missing', entry, 'OPTION needs a name: SINGLEHDR or NOHDRS')
    for (const word of entry.words) {
      if (word.text === 'SINGLEHDR') this.#options.singleHeader = true
      else if (word.text === 'NOHDRS') this.#options.noHeaders = true
      else this.#mistakes.add('unknown-option', word, optionMessage(word.text))
    }
  }

  #part(entry: Entry): void {
    if (!this.#takesParts) {
      const place = entry.words[0] ?? entry
      this.#section.partCount++
      this.#mistakes.add('unexpected-part', place, entry.words.length === 0 ? tokenMessage(entry) : this.#unexpected())
      return
    }
    this.#section.partCount++
    const part = readPart(entry, this.#facts, this.#mistakes)
    if (part === undefined) return
    this.#checkMixture(part)
    this.#section.parts.push(part)
  }

  #unexpected(): string {
    return this.#section.partCount === 1 && this.#sections === 1
      ? 'the parts of the master must stand before the first REPLICA'
      : 'no part may follow a remote replica; begin a local one (REPLICA) first'
  }

  #local(entry: Entry): void {
    if (this.#section.partCount === 0 && !this.#hasGaps) this.#noParts(entry)
    this.#section = { begin: entry, parts: [], partCount: 0 }
    this.#replicas.push(this.#section)
    this.#sections++
    this.#takesParts = true
  }

  #noParts(at: Place): void {
    if (this.#sections > 1) {
      this.#mistakes.add(
        'no-parts-replica',
        at,
        `the replica that begins in line ${this.#section.begin.line} has no parts`,
      )
    } else {
      this.#mistakes.add('no-parts-set', at, 'the master has no parts; they stand before the first REPLICA')
    }
  }

  #remote(entry: Entry): void {
    this.#remotes++
    const [node, set, extra] = entry.words
    // A keyword with only blanks behind it was most likely meant to begin a local replica: what follows is not its fault.
    this.#takesParts = node === undefined
    if (this.#takesParts) this.#section.partCount++
    if (node === undefined || set === undefined) {
      const message =
        'a remote replica is a node and the name of a pool set; a local one is REPLICA without anything behind it'
      this.#mistakes.add('remote-fields', node ?? entry, message)
    } else if (extra !== undefined) {
      this.#mistakes.add('token', extra, 'a remote replica is a node and the name of a pool set and nothing more')
    } else if (this.#isRemote(node, set)) {
      this.#replicas.push({ kind: 'remote', node: node.text, set: set.text })
    }
  }

  #isRemote(node: Word, set: Word): boolean {
    if (set.text.startsWith('/')) {
      this.#mistakes.add(
        'set-relative',
        set,
        'the name of a remote pool set is relative to the poolset-dir of its node',
      )
    } else if (hasControls(node.text + set.text) || /^$|[ \t]/.test(node.text) || /^$|^[ \t]/.test(set.text)) {
      this.#mistakes.add(
        'character',
        node,
        'neither node nor set may be empty, begin with a blank or hold control characters',
      )
    } else if (this.#directory === true) {
      this.#mistakes.add('mixed-directories', node, 'a set of directories cannot have a remote replica')
    } else {
      return true
    }
    return false
  }

  #checkMixture(part: ReadPart): void {
    const isDirectory = part.kind === 'directory'
    const [first = part] = this.#section.parts
    this.#directory ??= isDirectory
    const place = part.entry.words[1] ?? part.entry
    if (this.#directory !== isDirectory) {
      this.#mistakes.add('mixed-directories', place, 'either all parts of all replicas are directories or none is')
    } else if (isDirectory && this.#replicas.some(replica => 'kind' in replica)) {
      this.#mistakes.add('mixed-directories', place, 'a set with a remote replica cannot have directories')
    } else if ((part.kind === 'device-dax') !== (first.kind === 'device-dax')) {
      this.#mistakes.add('mixed-devices', place, 'either all parts of a replica are Device DAX or none is')
    }
    if (part.realPath !== undefined) this.#checkTwice(part.realPath, place)
  }

  #checkTwice(realPath: string, place: Place): void {
    const earlier = this.#realPaths.get(realPath)
    if (earlier === undefined) this.#realPaths.set(realPath, place.line)
    else this.#mistakes.add('directory-twice', place, `the same directory as in line ${earlier}`, errno.EEXIST)
  }

  #finish(end: Place): void {
    if (this.#section.partCount > 0 || this.#hasGaps) return
    if (this.#sections > 1) this.#noParts(end)
    else if (this.#remotes > 0)
      this.#mistakes.add('no-parts-replica', end, 'a pool set needs a local replica with parts')
    else this.#mistakes.add('no-parts-set', end, 'the pool set has no parts')
  }

  #withFiles(): ReplicaSpec[] {
    const loaded = this.#replicas.map(replica =>
      'kind' in replica ? replica : replica.parts.map(part => this.#partSpec(part)),
    )
    const most = loaded
      .map(replica => ('kind' in replica ? [] : filesOf(replica)))
      .reduce((a, b) => (b.length > a.length ? b : a))
    return loaded.map(replica => ('kind' in replica ? replica : { kind: 'local', parts: completed(replica, most) }))
  }

  #partSpec(part: ReadPart): PartSpec {
    const { path, size, kind } = part
    return { path, size, kind, files: kind === 'directory' ? this.#list(part) : [] }
  }

  #list(part: ReadPart): readonly DirectoryFile[] {
    try {
      return this.#facts.list(part.path).map(file => ({ ...file, exists: true }))
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      const message = `the files in the directory cannot be read: ${code}`
      const number = error instanceof Error && 'errno' in error ? Math.abs(Number(error.errno)) : errno.EIO
      this.#mistakes.add('directory-unreadable', part.entry.words[1] ?? part.entry, message, number)
      return []
    }
  }
}

function optionMessage(text: string): string {
  const right = text.toUpperCase().replace(/,$/, '')
  const known = right === 'SINGLEHDR' || right === 'NOHDRS'
  return `there is no option ${text}; ${known ? `write ${right}, and blanks between names` : 'the options are SINGLEHDR and NOHDRS'}`
}
