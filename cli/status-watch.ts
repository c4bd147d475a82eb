import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { systemCode } from '../core/index.js'
import { notesBeside, readSetStatus, type SetStatus, statusPath } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'

/** A process that ends leaves no mark, so it is looked for. */
const lookEveryMs = 500

/** How a pool stands, at once and whenever that may have changed, until the signal. A reader who is slow gets the latest. */
export async function* watchStatus(file: string, signal: AbortSignal): AsyncGenerator<SetStatus> {
  const set = await loadPoolSet(file)
  const note = statusPath(notesBeside(set, file))
  const bell = new Bell()
  const watcher = watched(note, () => bell.ring())
  const timer = setInterval(() => bell.ring(), lookEveryMs)
  const end = () => bell.ring()
  signal.addEventListener('abort', end)
  try {
    while (!signal.aborted) {
      yield await readSetStatus(set, file)
      await bell.rung()
    }
  } finally {
    signal.removeEventListener('abort', end)
    clearInterval(timer)
    watcher?.close()
  }
}

/** Undefined where nothing can be watched, such as a folder that is not there yet: then by the clock alone. */
function watched(note: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dirname(note), (_, name) => {
      if (name === null || name === basename(note)) changed()
    })
    return watcher.on('error', () => watcher.close())
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}

/** Rings that nobody waits for are one ring to the next who does. */
class Bell {
  #rang = false
  #wake: () => void = () => {}

  ring(): void {
    this.#rang = true
    this.#wake()
  }

  async rung(): Promise<void> {
    if (!this.#rang) await new Promise<void>(resolve => (this.#wake = resolve))
    this.#rang = false
  }
}
