import { hasCode, isRpmemError, pageSize, type Random } from '../../core/index.js'
import { Arena } from '../../lpsm/arena.js'
import { readWhole } from '../../lpsm/arena-opening.js'
import { arenaSettings } from '../../lpsm/arena-options.js'
import { recoverFiles } from '../../lpsm/arena-recovery.js'
import { fillData, fillLog, newDataHeader, zeroBase } from '../../lpsm/new-arena.js'
import { perform } from '../../lpsm/operation.js'
import { fakePorts } from './fake-ports.js'
import { type FileName, Journal } from './journal.js'
import { MemoryFile, type Weather } from './memory-file.js'

/** What a workload did to its files, and what each checkpoint held. */
export interface Recording {
  readonly journal: Journal
  /** The files before the first event. */
  readonly initial: Record<FileName, Uint8Array>
  /** By sequence. */
  readonly contents: readonly Uint8Array[]
}

/** Files of a wrong kind, for builds that must be caught. */
export type Saboteur = (file: MemoryFile) => MemoryFile

const honest: Saboteur = file => file

export interface WorkloadOptions {
  readonly steps: number
  readonly sabotage?: Saboteur
  /** Called before each call to the storage; throws what the call shall fail with. */
  readonly before?: NonNullable<Weather['before']>
}

/**
 * A life of a small arena: checkpoints of every kind, growth, folds, restoring, closing and reopening, recovery. After a failed call
 * it is opened again and ends; a full disk is passed over.
 */
export async function record(random: Random, options: WorkloadOptions): Promise<Recording> {
  return new Workload(random, options).run(options.steps)
}

class Workload {
  readonly #random: Random
  readonly #journal = new Journal()
  readonly #ports = fakePorts()
  readonly #contents: Uint8Array[] = []
  readonly #files: Record<FileName, MemoryFile>
  readonly #initial: Record<FileName, Uint8Array>
  readonly #settings
  readonly #mayFail: boolean
  #value = 0

  constructor(random: Random, { sabotage = honest, before }: WorkloadOptions) {
    this.#random = random
    this.#mayFail = before !== undefined
    const size = (2 + this.#upTo(4)) * pageSize
    this.#initial = newFiles(size)
    const weather: Weather = { turns: () => this.#upTo(6), ...(before && { before }) }
    const file = (name: FileName) => sabotage(new MemoryFile(name, this.#initial[name].slice(), this.#journal, weather))
    this.#files = { data: file('data'), log: file('log') }
    const ratio = [0, 0.5, 1, 3][this.#upTo(3)] ?? 1
    this.#settings = arenaSettings({ ratio, keep: 1 + this.#upTo(2) })
    this.#contents[0] = new Uint8Array(size)
  }

  async run(steps: number): Promise<Recording> {
    let arena: Arena | undefined
    try {
      arena = this.#open()
      for (let step = 0; step < steps; step++) arena = await this.#step(arena)
      await arena.close()
    } catch (error) {
      requireOperating(error)
      await arena?.close().catch(requireOperating)
      this.#reopenAfterFailure()
    }
    return { journal: this.#journal, initial: this.#initial, contents: this.#contents }
  }

  async #step(arena: Arena): Promise<Arena> {
    const dice = this.#upTo(19)
    try {
      if (dice === 0) return await this.#reopen(arena)
      if (dice === 1) return await this.#recover(arena)
      if (dice === 2) await arena.extend(arena.size + pageSize)
      else if (dice === 3) await this.#restore(arena)
      else await this.#checkpoint(arena, dice)
    } catch (error) {
      if (!hasCode(error, 'ERR_DISK_FULL') || arena.closed) throw error
      // What was declared in vain will be declared anew, with all that comes until then.
      this.#contents.length = (arena.checkpoints.at(-1)?.sequence ?? 0) + 1
    }
    return arena
  }

  #reopenAfterFailure(): void {
    try {
      this.#open().closeSync()
    } catch (error) {
      requireOperating(error)
    }
  }

  #open(): Arena {
    const reading = perform(readWhole(this.#files, true))
    return perform(Arena.over(this.#files, this.#ports, this.#settings, reading))
  }

  async #reopen(arena: Arena): Promise<Arena> {
    await arena.close()
    return this.#open()
  }

  async #recover(arena: Arena): Promise<Arena> {
    await arena.close()
    perform(recoverFiles(this.#files, this.#ports, {}))
    return this.#open()
  }

  async #checkpoint(arena: Arena, dice: number): Promise<void> {
    this.#scribble(arena)
    const sequence = this.#declare(arena.view(0, arena.size).slice())
    if (dice < 8) arena.checkpointSync()
    else if (dice < 14) await arena.checkpoint()
    else {
      const { durable } = await arena.checkpoint({ wait: 'async' })
      this.#journal.add({ kind: 'promised', sequence: sequence - 1 })
      // Where calls fail, what is declared next depends on what became of this one.
      if (this.#mayFail) await durable
      return
    }
    this.#journal.add({ kind: 'promised', sequence })
  }

  async #restore(arena: Arena): Promise<void> {
    await this.#checkpoint(arena, 0)
    const older = arena.checkpoints.slice(0, -1)
    const chosen = older[this.#upTo(older.length)]
    if (chosen === undefined) return
    const content = new Uint8Array(arena.size)
    content.set(this.#contents[chosen.sequence] ?? [])
    const sequence = this.#declare(content)
    await arena.restore(chosen.sequence)
    this.#journal.add({ kind: 'promised', sequence })
  }

  /** The sequence of the checkpoint that is about to be declared. */
  #declare(content: Uint8Array): number {
    this.#contents.push(content)
    const sequence = this.#contents.length - 1
    this.#journal.add({ kind: 'declared', sequence })
    return sequence
  }

  #scribble(arena: Arena): void {
    const pages = arena.size / pageSize
    for (let count = 1 + this.#upTo(2); count > 0; count--) {
      const at = this.#upTo(pages - 1) * pageSize
      this.#value++
      // Several sectors of the page, so that a torn image is no image of any checkpoint.
      for (const offset of [0, 700, 2048, 4090])
        arena.view(at + offset, 4).set([this.#value, this.#value >> 8, offset, 1])
    }
  }

  /** 0 … most. */
  #upTo(most: number): number {
    return (this.#random.bytes(1)[0] ?? 0) % (most + 1)
  }
}

/** What opening an arena, or bringing its data file up to date, does to files that a crash has left at this checkpoint. */
export function recordRecovery(
  initial: Record<FileName, Uint8Array>,
  sequence: number,
  contents: readonly Uint8Array[],
): Recording {
  const journal = new Journal()
  journal.add({ kind: 'declared', sequence })
  journal.add({ kind: 'promised', sequence })
  const file = (name: FileName) => new MemoryFile(name, initial[name].slice(), journal)
  const files = { data: file('data'), log: file('log') }
  const ports = fakePorts()
  const settings = arenaSettings({ keep: 2 })
  const open = (): Arena => perform(Arena.over(files, ports, settings, perform(readWhole(files, true))))
  open().closeSync()
  perform(recoverFiles(files, ports, {}))
  open().closeSync()
  return { journal, initial, contents }
}

/** The files after the last event. */
export function finalFiles({ journal, initial }: Recording): Record<FileName, Uint8Array> {
  const file = (name: FileName) => new MemoryFile(name, initial[name].slice())
  const files = { data: file('data'), log: file('log') }
  for (const event of journal.events) {
    if (event.kind === 'write') files[event.file].put(event.at, event.bytes)
    if (event.kind === 'size') files[event.file].resize(event.size)
  }
  return { data: files.data.bytes.slice(), log: files.log.bytes.slice() }
}

/** Bugs are not to be passed over. */
function requireOperating(error: unknown): void {
  if (!isRpmemError(error) && !(error instanceof Error && 'code' in error)) throw error
}

/** The files of a new arena of zeros. */
export function newFiles(size: number): Record<FileName, Uint8Array> {
  const data = new MemoryFile('data')
  const log = new MemoryFile('log')
  const header = newDataHeader(new Uint8Array(16).fill(7), size, 1_700_000_000_000)
  perform(fillData(data, header))
  perform(fillLog(log, header.arena, zeroBase(header), 99n, 0))
  return { data: data.bytes.slice(), log: log.bytes.slice() }
}
