import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { acceleratorArguments, emulator, findAccelerator } from './accelerator.js'
import { findInitrd } from './initrd.js'
import { findKernel, labFolder } from './kernel.js'

export interface Nvdimm {
  /** The file that keeps its content. */
  readonly path: string
  /** Multiple of 16 MiB. */
  readonly size: number
}

/** One end of a cable between two guests; the server must be started first. */
export interface Wire {
  /** Of a unix socket. */
  readonly path: string
  readonly server: boolean
}

export interface GuestOptions {
  readonly name: string
  /** Text for bash, run as root in the tree of the repository. */
  readonly command: string
  /** After this the guest is cut off. */
  readonly limitMs: number
  /** 1 … 250: its addresses are 10.77.0.HOST and fd77::HOST; default 1. */
  readonly host?: number
  /** Soft-RoCE on its network card. */
  readonly rdma?: boolean
  readonly wire?: Wire
  /** Raw images: /dev/vda, /dev/vdb …; what the guest flushed is in them, whatever becomes of it. */
  readonly disks?: readonly string[]
  readonly nvdimm?: Nvdimm
  /** Further kernel modules. */
  readonly modules?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Files that the guest finds in /run/lab. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** Processors; default 2. */
  readonly processors?: number
  /** Default 2048. */
  readonly memoryMiB?: number
}

export interface GuestEnd {
  /** Of the command; undefined if the guest was cut off or died. */
  readonly exitCode: number | undefined
  /** What the command wrote, both streams in their order. */
  readonly output: string
  /** What the kernel and the set-up had to say. */
  readonly console: string
  readonly seconds: number
}

interface GuestEvents {
  line: [line: string]
}

/**
 * A virtual machine that runs one command on this machine's own file tree and then ends. It sees the tree read-only under
 * an overlay of its own; /run/lab is `folder`, for files in both directions. Emits `line` for each line that the command
 * writes. It ends with this process at the latest.
 */
export class Guest extends EventEmitter<GuestEvents> {
  readonly folder: string
  readonly ended: Promise<GuestEnd>
  readonly #options: GuestOptions
  readonly #emulator: ChildProcess
  readonly #started = performance.now()
  readonly #limit: NodeJS.Timeout
  #output = ''

  constructor(options: GuestOptions) {
    super()
    this.#options = options
    mkdirSync(join(labFolder, 'run'), { recursive: true })
    this.folder = mkdtempSync(join(labFolder, 'run', `${options.name}-`))
    writeFileSync(join(this.folder, 'start'), startScript(options))
    writeFileSync(join(this.folder, 'tree'), resolve('.'))
    writeFileSync(join(this.folder, 'command'), options.command)
    for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(join(this.folder, name), content)
    // setpriv(1): where this process is killed, the emulator does not stay behind.
    const words = ['--pdeathsig', 'KILL', emulator, ...emulatorArguments(options, this.folder)]
    this.#emulator = spawn('setpriv', words, { stdio: ['pipe', 'pipe', 'pipe'] })
    // A guest that is cut does not read to the end.
    this.#emulator.stdin?.on('error', () => {})
    this.#limit = setTimeout(() => this.cut(), options.limitMs)
    this.ended = this.#follow()
  }

  /** Writes a line to the command's standard input. */
  send(line: string): void {
    this.#emulator.stdin?.write(`${line}\n`)
  }

  /** Pulls the plug. Idempotent. */
  cut(): void {
    this.#emulator.kill('SIGKILL')
  }

  /** Resolves with the first line from now on that `wanted` accepts; rejects if the guest ends before. */
  said(wanted: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      const listen = (line: string) => {
        if (!wanted.test(line)) return
        this.off('line', listen)
        resolve(line)
      }
      this.on('line', listen)
      void this.ended.then(end => {
        this.off('line', listen)
        reject(new Error(`${this.#options.name} ended without ${wanted}: ${lastWords(end)}`))
      })
    })
  }

  async #follow(): Promise<GuestEnd> {
    const lines = createInterface({
      input: this.#emulator.stdout ?? process.stdin,
      crlfDelay: Number.POSITIVE_INFINITY,
    })
    lines.on('line', line => {
      this.#output += `${line}\n`
      this.emit('line', line)
    })
    let complaint = ''
    this.#emulator.stderr?.on('data', chunk => {
      complaint += chunk
    })
    await Promise.all([once(this.#emulator, 'close'), once(lines, 'close')]).catch(error => {
      complaint += error
    })
    clearTimeout(this.#limit)
    const code = read(join(this.folder, 'exit-code')).trim()
    const console = `${read(join(this.folder, 'console'))}${complaint}`
    const seconds = (performance.now() - this.#started) / 1000
    return { exitCode: code === '' ? undefined : Number(code), output: this.#output, console, seconds }
  }

  /** After the end; removes `folder`. */
  discard(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The end of what a guest had to say, for whoever looks for the reason. */
export const lastWords = ({ output, console }: GuestEnd): string => `${console.slice(-2000)}\n${output.slice(-2000)}`

const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '')

function startScript(options: GuestOptions): string {
  const settings = {
    LAB_TREE: resolve('.'),
    LAB_NAME: options.name,
    LAB_HOST: String(options.host ?? 1),
    LAB_RDMA: options.rdma ? 'yes' : 'no',
    LAB_MODULES: [
      ...(options.disks ? ['virtio_blk', 'ext4'] : []),
      ...(options.nvdimm ? ['nfit', 'nd_pmem'] : []),
      ...(options.modules ?? []),
    ].join(' '),
    ...options.environment,
  }
  const exports = Object.entries(settings).map(([name, value]) => `export ${name}=${quoted(value)}\n`)
  return `${exports.join('')}exec bash "$LAB_TREE/scripts/vm/guest"\n`
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** In QEMU's options a comma separates and is doubled where it is meant. */
const path = (name: string) => resolve(name).replaceAll(',', ',,')

function emulatorArguments(options: GuestOptions, folder: string): string[] {
  const kernel = findKernel()
  const initrd = findInitrd(kernel)
  const share = 'security_model=none,multidevs=remap'
  return [
    ...acceleratorArguments[findAccelerator(kernel, initrd)],
    ...['-smp', String(options.processors ?? 2), '-nodefaults', '-display', 'none', '-no-reboot', '-no-user-config'],
    ...memoryArguments(options),
    ...['-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=1'],
    ...['-serial', `file:${path(join(folder, 'console'))}`],
    ...['-virtfs', `local,path=/,mount_tag=tree,readonly=on,${share}`],
    ...['-virtfs', `local,path=${path(folder)},mount_tag=exchange,${share}`],
    ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=host,signal=off'],
    ...['-device', 'virtserialport,chardev=host,name=host'],
    ...networkArguments(options),
    ...(options.disks ?? []).flatMap((disk, n) => diskArguments(disk, n)),
  ]
}

function memoryArguments({ nvdimm, memoryMiB = 2048 }: GuestOptions): string[] {
  if (!nvdimm) return ['-machine', 'q35', '-m', String(memoryMiB)]
  const backend = `memory-backend-file,id=nvdimm,share=on,mem-path=${path(nvdimm.path)},size=${nvdimm.size}`
  return [
    ...['-machine', 'q35,nvdimm=on', '-m', `${memoryMiB},slots=2,maxmem=${memoryMiB + 4096}M`],
    ...['-object', backend, '-device', 'nvdimm,memdev=nvdimm,label-size=128K'],
  ]
}

function networkArguments({ wire, host = 1 }: GuestOptions): string[] {
  const mac = `52:54:00:77:00:${host.toString(16).padStart(2, '0')}`
  // No wire: a hub where nobody else is.
  const cable = wire
    ? `stream,id=wire,server=${wire.server ? 'on' : 'off'},addr.type=unix,addr.path=${path(wire.path)}`
    : 'hubport,id=wire,hubid=0'
  return ['-netdev', cable, '-device', `virtio-net-pci,netdev=wire,mac=${mac},romfile=`]
}

function diskArguments(disk: string, n: number): string[] {
  // Writes pass by the page cache of this machine, and a flush reaches the file.
  const drive = `file=${path(disk)},if=none,id=disk${n},format=raw,cache=none,aio=threads`
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=disk${n}`]
}
