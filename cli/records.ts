import { open } from 'node:fs/promises'

/** The records of an input file, each with its separator, so that together they are the input byte by byte. */
export interface Records {
  readonly kind: 'paragraphs' | 'lines'
  readonly records: readonly Uint8Array[]
  readonly bytes: number
  /** Size of the whole file; larger than `bytes` if the file was longer than the limit. */
  readonly fileBytes: number
}

const newline = 0x0a
/** A line without end would otherwise be one record of the whole file. */
const longestRecord = 1 << 20

/** Reads at most `limit` bytes; what starts with `Field: value`, as /var/lib/dpkg/status does, is taken by paragraphs. */
export async function readRecords(path: string, limit: number): Promise<Records> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const content = Buffer.alloc(Math.min(size, limit))
    const { bytesRead } = await file.read(content, 0, content.length, 0)
    const kind = /^[A-Za-z][\w-]*: /.test(content.toString('latin1', 0, 80)) ? 'paragraphs' : 'lines'
    return { kind, records: [...split(content.subarray(0, bytesRead), kind)], bytes: bytesRead, fileBytes: size }
  } finally {
    await file.close()
  }
}

export function* split(content: Uint8Array, kind: Records['kind']): Generator<Uint8Array> {
  let start = 0
  while (start < content.length) {
    const end = Math.min(recordEnd(content, start, kind), start + longestRecord)
    yield content.subarray(start, end)
    start = end
  }
}

function recordEnd(content: Uint8Array, start: number, kind: Records['kind']): number {
  let end = content.indexOf(newline, start)
  if (kind === 'paragraphs')
    while (end !== -1 && content[end + 1] !== newline && end + 1 < content.length)
      end = content.indexOf(newline, end + 1)
  if (end === -1) return content.length
  while (kind === 'paragraphs' && content[end + 1] === newline) end++
  return end + 1
}
