import { contentAt } from '../../lpsm/data-header.js'
import { recordsAt } from '../../lpsm/log-header.js'
import { type Operation, together } from '../../lpsm/operation.js'
import { MemoryFile } from './memory-file.js'
import type { Saboteur } from './workload.js'

type Options = { readonly sync?: boolean }

/** Overrides a method of one file. */
const wrong =
  (name: 'data' | 'log', change: (file: MemoryFile) => void): Saboteur =>
  file => {
    if (file.path === name) change(file)
    return file
  }

const write = MemoryFile.prototype.write

/** Builds that break one rule each, and that every hunt must catch. */
export const saboteurs: Readonly<Record<string, Saboteur>> = {
  'a checkpoint is committed before its pages are durable': wrong('log', file => {
    file.write = (at: number, pieces: readonly Uint8Array[], options: Options = {}): Operation => {
      const [head, ...images] = pieces
      if (head === undefined || images.length === 0) return write.call(file, at, pieces, options)
      const steps = [write.call(file, at, [head], options), write.call(file, at + head.length, images)]
      return together(steps)
    }
  }),
  'a checkpoint is promised before it is durable': wrong('log', file => {
    file.write = (at: number, pieces: readonly Uint8Array[], options: Options = {}) =>
      write.call(file, at, pieces, at < recordsAt ? options : {})
  }),
  'the log is cut before the data file is durable': wrong('data', file => {
    file.sync = () => ({ run: () => {}, start: () => ({ done: Promise.resolve(), join: () => {} }) })
    file.write = (at: number, pieces: readonly Uint8Array[], options: Options = {}) =>
      write.call(file, at, pieces, at < contentAt ? {} : options)
  }),
  'space of the log is used again before the header says so': wrong('log', file => {
    file.write = (at: number, pieces: readonly Uint8Array[], options: Options = {}) =>
      write.call(file, at, pieces, at < recordsAt ? {} : options)
  }),
}
