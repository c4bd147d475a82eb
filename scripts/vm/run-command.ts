import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Guest, type GuestOptions } from './guest.js'
import { imageFile } from './image.js'
import { labFolder } from './kernel.js'

export interface CommandOptions {
  readonly rdma: boolean
  /** A second guest on the same wire runs the command too; LAB_HOST is 1 in one and 2 in the other. */
  readonly two: boolean
  /** Leave what the guests wrote to /run/lab, and their consoles, in .lab/run. */
  readonly keep: boolean
  /** MiB. */
  readonly disk?: string | undefined
  readonly nvdimm?: string | undefined
  readonly time: string
}

/** Runs a command in one guest or two, shows what it writes, and resolves to its exit code (the first that is not 0). */
export async function runCommand(command: string, options: CommandOptions): Promise<number> {
  const hosts = options.two ? [1, 2] : [1]
  const path = join(labFolder, 'run', 'run.wire')
  rmSync(path, { force: true })
  const codes = await Promise.all(hosts.map(host => runOn(host, command, options, path)))
  return codes.find(code => code !== 0) ?? 0
}

async function runOn(host: number, command: string, options: CommandOptions, path: string): Promise<number> {
  const name = `host${host}`
  // The emulator tells nobody that its end of the wire is there.
  while (host > 1 && !existsSync(path)) await pause(50)
  const image = (kind: string, sizeMiB: string) => imageFile(join(labFolder, 'run', `${name}.${kind}`), Number(sizeMiB))
  const settings: GuestOptions = {
    ...{ name, host, command, rdma: options.rdma, limitMs: Number(options.time) * 1000 },
    ...(options.two && { wire: { path, server: host === 1 }, processors: 1 }),
    ...(options.disk && { disks: [image('disk', options.disk).path] }),
    ...(options.nvdimm && { nvdimm: image('nvdimm', options.nvdimm) }),
  }
  const guest = new Guest(settings)
  guest.on('line', line => console.log(options.two ? `${name}: ${line}` : line))
  const { exitCode, console: words, seconds } = await guest.ended
  if (exitCode === undefined) console.error(`${name} was cut off after ${seconds.toFixed(0)} s:\n${words.slice(-2000)}`)
  if (options.keep) console.error(`${name}: see ${guest.folder}`)
  else guest.discard()
  return exitCode ?? 124
}
