import { assert, pageSize } from '../core/index.js'
import type { Part } from './part.js'

/** What is done to several parts of a replica at once. */

/** How a creation is taken back: headers in parts that were there before become zero again, the other parts go. */
export const discarding = (parts: readonly Part[], written: readonly Part[]): (() => Promise<void>)[] => [
  ...written.filter(part => !part.created).map(part => () => part.writeHeader(new Uint8Array(pageSize))),
  ...parts.filter(part => part.created).map(part => () => part.unlink()),
]

export async function unlinkAll(parts: readonly Part[]): Promise<void> {
  for (const part of parts) await part.unlink()
}

export async function closeAll(parts: readonly Part[]): Promise<void> {
  for (const part of parts) await part.close()
}

/** The item of a part or of its header; the index comes from a layout of the same parts. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  assert(item !== undefined, 'the index lies inside the list')
  return item
}
