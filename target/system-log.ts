import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { type LogLevel, logLevels } from '../core/index.js'
import type { Sink } from './daemon-log.js'

/** How the system log is reached. */
export interface SystemLog {
  /** Without it there is no system log on this machine. */
  readonly socket: string
  /** logger(1) or its like. */
  readonly command: string
}

export const systemLog: SystemLog = { socket: '/dev/log', command: 'logger' }

const facilityUser = 1
const severityOfErr = 3

interface Message {
  readonly level: LogLevel
  readonly text: string
}

/**
 * Node has no datagram sockets of the local family, so the system log is reached through logger(1), one process that is
 * started with the first message and ends with our end of its input. What it did not take goes where `instead` leads.
 */
export class SystemLogSink implements Sink {
  readonly #system: SystemLog
  readonly #instead: (reason: string) => Sink
  readonly #untaken = new Set<Message>()
  #input: Writable | undefined
  #fallback: Sink | undefined

  constructor(system: SystemLog, instead: (reason: string) => Sink) {
    this.#system = system
    this.#instead = instead
  }

  write(level: LogLevel, text: string): void {
    const { socket } = this.#system
    if (!this.#input && !this.#fallback && !existsSync(socket)) this.#fallBack(`${socket} is missing`)
    if (this.#fallback) this.#fallback.write(level, text)
    else this.#hand({ level, text })
  }

  async close(): Promise<void> {
    const input = this.#input
    if (!input) return
    const error = await new Promise<unknown>(resolve => input.end(resolve))
    if (error instanceof Error) this.#fallBack(error.message)
  }

  #hand(message: Message): void {
    this.#input ??= this.#start()
    const { level, text } = message
    this.#untaken.add(message)
    const line = `<${facilityUser * 8 + severityOfErr + logLevels.indexOf(level)}>${level}: ${text}\n`
    this.#input.write(line, error => {
      if (!error) this.#untaken.delete(message)
    })
  }

  #start(): Writable {
    const child = spawn(this.#system.command, ['--tag', 'rpmemd', `--id=${process.pid}`, '--prio-prefix'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    child.on('error', cause => this.#fallBack(cause.message))
    child.stdin.on('error', cause => this.#fallBack(cause.message))
    child.unref()
    return child.stdin
  }

  #fallBack(reason: string): void {
    this.#fallback ??= this.#instead(reason)
    for (const { level, text } of this.#untaken) this.#fallback.write(level, text)
    this.#untaken.clear()
  }
}
