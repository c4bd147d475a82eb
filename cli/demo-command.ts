import { performance } from 'node:perf_hooks'
import { formatBytes, formatMicroseconds, RpmemError } from '../core/index.js'
import { compareRecords } from './demo-comparison.js'
import { DemoPools } from './demo-pools.js'
import { type Recording, recordAll } from './demo-recording.js'
import { DemoStage } from './demo-stage.js'
import { errorText } from './error-text.js'
import type { Io } from './io.js'
import { latencyChart, percentiles } from './latency-chart.js'
import { lossNotice } from './loss-notice.js'
import { type Paint, paintFor } from './paint.js'
import { RecordLog, recordSpace } from './record-log.js'
import { type Records, readRecords } from './records.js'
import { wrapped } from './wrapped.js'

export interface DemoOptions {
  readonly file: string
  /** Where the temporary directory is made; default: a disk, if there is one. */
  readonly directory: string | undefined
}

/** More input than this is not taken: the pool is kept three times. */
const inputLimit = 64 * 1024 * 1024
/** rpmem promises to notice a dead target within 3 s. */
const noticeLimitMs = 3000
const lost = 'node-a'
const survivor = 'node-b'

/**
 * `rpmem demo [FILE]`: the main job on real input, told as it happens. Resolves with whether all of it held; whatever
 * happens, the last line on standard output is the verdict.
 */
export async function demonstrate(options: DemoOptions, io: Io): Promise<boolean> {
  try {
    return await perform(options, io)
  } catch (error) {
    io.err(errorText(error, io))
    io.out(`\n${paintFor(io).bad(`FAIL: ${error instanceof Error ? error.message : String(error)}`)}\n`)
    return false
  }
}

async function perform({ file, directory }: DemoOptions, io: Io): Promise<boolean> {
  const input = await readInput(file)
  const space = input.records.reduce((sum, record) => sum + recordSpace(record.length), recordSpace(farewell.length))
  const stage = await DemoStage.set(space, directory)
  try {
    return await new Demo(file, input, stage, io).play()
  } finally {
    await stage.clear()
  }
}

async function readInput(file: string): Promise<Records> {
  try {
    const input = await readRecords(file, inputLimit)
    if (input.records.length > 0) return input
  } catch (error) {
    throw RpmemError.wrap('ERR_ARGUMENT', `${file} cannot be read`, error, { facts: { file } })
  }
  throw new RpmemError('ERR_ARGUMENT', `${file} is empty`, { facts: { file }, hint: 'Name a file with some lines.' })
}

/** Written after one target was killed. */
const farewell = new TextEncoder().encode('Package: one-more\n')

class Demo {
  readonly #file: string
  readonly #input: Records
  readonly #stage: DemoStage
  readonly #io: Io
  readonly #paint: Paint
  readonly #pools: DemoPools

  constructor(file: string, input: Records, stage: DemoStage, io: Io) {
    this.#file = file
    this.#input = input
    this.#stage = stage
    this.#io = io
    this.#paint = paintFor(io)
    this.#pools = new DemoPools(stage, io.signal)
  }

  async play(): Promise<boolean> {
    this.#describeInput()
    try {
      await this.#create()
      const recording = await this.#record()
      await this.#kill(recording.log)
    } finally {
      await this.#pools.close()
    }
    return this.#compare()
  }

  #describeInput(): void {
    const { records, kind, bytes, fileBytes } = this.#input
    const cut = fileBytes > bytes ? `; the first ${formatBytes(bytes)} of ${formatBytes(fileBytes)}` : ''
    this.#title('rpmem demo: one local and two remote replicas')
    this.#row('input', `${this.#file}: ${records.length} ${kind}, ${formatBytes(bytes)}${cut}`)
    this.#row('place', this.#stage.directory)
    this.#row('nodes', `an SSH server on 127.0.0.1:${this.#stage.nodes.port} stands for node-a and node-b`)
  }

  async #create(): Promise<void> {
    const start = performance.now()
    const replicas = await this.#pools.create()
    this.#title(`1  Create the pool on all three (${ms(performance.now() - start)})`)
    for (const { name, path, why } of replicas) {
      this.#row(name, path)
      const lines = why.flatMap(reason => wrapped(`${' '.repeat(15)}${reason}`, this.#columns, 2))
      for (const line of lines) this.#line(this.#paint.faint(line))
    }
  }

  async #record(): Promise<Recording> {
    this.#title('2  Write record by record, each persisted on all three before the next')
    const recording = await recordAll(this.#pools.pool, this.#input, this.#io)
    const { elapsedMs, histogram, latencies } = recording
    const seconds = elapsedMs / 1000
    const { records, bytes } = this.#input
    this.#row('written', `${records.length} records, ${formatBytes(bytes)} in ${ms(elapsedMs)}`)
    this.#row('rate', `${Math.round(records.length / seconds)} records/s, ${formatBytes(bytes / seconds)}/s`)
    this.#row('persist', percentiles(histogram))
    for (const line of latencyChart(latencies, this.#columns, this.#paint.bar)) this.#line(line)
    return recording
  }

  async #kill(log: RecordLog): Promise<void> {
    this.#title(`3  Kill the target of ${lost} and persist once more`)
    const start = performance.now()
    await Promise.all([lossNotice(this.#pools.pool, noticeLimitMs), this.#killDaemon()])
    this.#row('noticed', `event 'replica-lost' after ${ms(performance.now() - start)}; the next persist says:`)
    const text = errorText(this.#persistOnceMore(log), {
      colors: this.#io.colors,
      columns: 80,
      terminal: false,
    }).trimEnd()
    for (const line of text.split('\n')) for (const piece of wrapped(`   ${line}`, this.#columns, 2)) this.#line(piece)
  }

  async #killDaemon(): Promise<void> {
    const [daemon] = this.#stage.nodes.daemons(lost)
    if (!daemon?.signal('SIGKILL')) throw new RpmemError('ERR_TARGET_LOST', `${lost} has no daemon to kill`)
    this.#row('killed', `rpmemd of ${lost}, process ${daemon.pid}, by SIGKILL`)
  }

  #persistOnceMore(log: RecordLog): unknown {
    const { offset, length } = log.append(farewell)
    try {
      this.#pools.pool.persistSync(offset, length)
    } catch (error) {
      return error
    }
    throw new RpmemError('ERR_PERSIST', 'a persist succeeded although one of its targets was dead')
  }

  async #compare(): Promise<boolean> {
    this.#title(`4  Open what ${survivor} kept, as a pool, and compare`)
    const pool = await this.#pools.openAlone(survivor)
    try {
      const comparison = compareRecords(this.#input.records, new RecordLog(pool).read(), farewell)
      this.#row('opened', this.#stage.replicaSetFile(survivor))
      this.#row('equal', `${comparison.equal} of ${this.#input.records.length} records, ${comparison.bytes} bytes`)
      this.#verdict(comparison.difference, comparison.equal)
      return comparison.difference === undefined
    } finally {
      await pool.close()
    }
  }

  #verdict(difference: string | undefined, equal: number): void {
    const held = `PASS: a target died, and all ${equal} confirmed records are on the other replicas`
    this.#line('')
    this.#line(difference === undefined ? this.#paint.good(held) : this.#paint.bad(`FAIL: ${difference}`))
  }

  get #columns(): number {
    return Math.min(this.#io.columns, 100)
  }

  #title(text: string): void {
    this.#line(`${text.startsWith('rpmem') ? '' : '\n'}${this.#paint.title(text)}`)
  }

  #row(name: string, text: string): void {
    this.#line(`   ${name.padEnd(11)} ${text}`)
  }

  #line(text: string): void {
    this.#io.out(`${text}\n`)
  }
}

const ms = (milliseconds: number): string => formatMicroseconds(Number((milliseconds * 1000).toPrecision(3)))
