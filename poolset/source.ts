import { isUtf8 } from 'node:buffer'
import type { MistakeList } from './mistake.js'

/** The text of a file as lines, without their ends; LF and CR LF both end a line. */
export interface Source {
  readonly text: string
  readonly lines: readonly string[]
  readonly endsWithNewline: boolean
}

export function sourceOf(bytes: Uint8Array | string): Source {
  const decoded = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  const lines = decoded.replaceAll('\r\n', '\n').split('\n')
  const endsWithNewline = lines.at(-1) === ''
  const text = lines.join('\n')
  if (endsWithNewline) lines.pop()
  return { text, lines, endsWithNewline }
}

/** Adds each line that is not UTF-8. PMDK takes any bytes; a path that cannot be named in JavaScript cannot be opened. */
export function checkEncoding(bytes: Uint8Array, mistakes: MistakeList): void {
  if (isUtf8(bytes)) return
  for (let from = 0, line = 1; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from)
    const to = end < 0 ? bytes.length : end
    const part = bytes.subarray(from, to)
    if (!isUtf8(part)) mistakes.add('encoding', { line, column: brokenAt(part) }, 'the line is not UTF-8')
    from = to + 1
  }
}

const brokenAt = (bytes: Uint8Array): number =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).indexOf('\ufffd') + 1
