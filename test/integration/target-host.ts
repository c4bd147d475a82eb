import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { assert } from '../../core/index.js'
import { type Environment, readEnvironment } from '../../initiator/index.js'
import { type OpenSshServer, type OpenSshServerOptions, startOpenSshServer } from '../fixture/open-ssh-server.js'
import { processIsThere, within } from './process-end.js'

const rpmemd = fileURLToPath(new URL('../../cli/rpmemd.js', import.meta.url))

/** How an initiator reaches the host; also fit for the command line of a child. */
export interface HostOptions {
  readonly command: string
  readonly environment: Environment
  readonly ssh: {
    readonly home: string
    readonly configFile: string
    readonly knownHostsFiles: readonly string[]
    readonly identityFiles: readonly string[]
    readonly agentSocket: string
  }
}

/**
 * A machine behind a real sshd that has our rpmemd installed. It stands for several targets: each is a folder `name` with
 * `x.set` and the parts, and the name of its pool set is `name/x.set`.
 */
export class TargetHost {
  readonly server: OpenSshServer
  readonly folder: string
  /** The poolset-dir. */
  readonly poolSets: string
  readonly options: HostOptions
  readonly #pids: string

  private constructor(server: OpenSshServer) {
    this.server = server
    this.folder = server.folder
    this.poolSets = join(server.folder, 'poolsets')
    this.#pids = join(server.folder, 'pids')
    mkdirSync(this.poolSets)
    mkdirSync(this.#pids)
    const command = this.script('rpmemd')
    this.options = {
      command,
      environment: readEnvironment({}),
      ssh: {
        home: this.folder,
        configFile: join(this.folder, 'no_config'),
        knownHostsFiles: [server.knownHostsFile],
        identityFiles: [server.identityFile],
        agentSocket: 'none',
      },
    }
  }

  static async start(t: Test, options?: OpenSshServerOptions): Promise<TargetHost> {
    const host = new TargetHost(await startOpenSshServer(t, options))
    t.teardown(() => host.killDaemons())
    return host
  }

  get address(): string {
    return this.server.address
  }

  /** A program of the host that does `lines` and then becomes rpmemd with `options`, started through `by`. */
  script(name: string, lines: readonly string[] = [], options: readonly string[] = [], by = ''): string {
    const daemon = [
      `${by} '${process.execPath}' '${rpmemd}' '--poolset-dir=${this.poolSets}' '--log-file=${this.folder}/log'`,
      '--log-level=info',
      ...options,
    ]
    return this.program(name, daemon.join(' '), lines)
  }

  /** A program of the host: it does `lines` and then becomes `command`, with its number known to `daemons`. */
  program(name: string, command: string, lines: readonly string[] = []): string {
    const path = join(this.folder, name)
    const text = ['#!/bin/sh', `echo > '${this.#pids}/'$$`, ...lines, `exec ${command} "$@"`, '']
    writeFileSync(path, text.join('\n'))
    chmodSync(path, 0o755)
    return path
  }

  /** Writes the pool set of a target and gives the REPLICA line that leads there. Part names are completed by its folder. */
  replica(target: string, parts: readonly (readonly [size: string, name: string])[], ...options: string[]): string {
    mkdirSync(join(this.poolSets, target), { recursive: true })
    const lines = parts.map(([size, name]) => `${size} ${this.part(target, name)}`)
    writeFileSync(join(this.poolSets, target, 'x.set'), ['PMEMPOOLSET', ...options, ...lines, ''].join('\n'))
    return `REPLICA ${this.address} ${target}/x.set`
  }

  part(target: string, name: string): string {
    return join(this.poolSets, target, name)
  }

  content(target: string, name: string): Buffer {
    return readFileSync(this.part(target, name))
  }

  /** Takes the pool set of a target away until the returned function is called: the target refuses to open it. */
  hide(target: string): () => void {
    const path = this.part(target, 'x.set')
    renameSync(path, `${path}.hidden`)
    return () => renameSync(`${path}.hidden`, path)
  }

  /** What lies beside the pool set of a target. */
  parts(target: string): string[] {
    return readdirSync(join(this.poolSets, target)).filter(name => name !== 'x.set')
  }

  /** Process numbers of the daemons that run now. */
  daemons(): number[] {
    return readdirSync(this.#pids).map(Number).filter(processIsThere)
  }

  /** Process number of the daemon that serves the pool set of a target, or did so last. */
  daemonOf(target: string): number {
    const served = [...this.log().matchAll(/rpmemd\[(\d+)\]: notice: (?:create|open) '(.*?)\/x\.set'/g)]
    const found = served.findLast(([, , name]) => name === target)
    assert(found, `a daemon has served ${target}`)
    return Number(found[1])
  }

  /** Milliseconds until no daemon runs any more; undefined if that takes too long. */
  allEnd(boundMs = 2000): Promise<number | undefined> {
    return within(boundMs, () => this.daemons().length === 0)
  }

  /** Milliseconds until this daemon is gone; undefined if that takes too long. */
  end(daemon: number, boundMs = 2000): Promise<number | undefined> {
    return within(boundMs, () => !processIsThere(daemon))
  }

  log(): string {
    const path = join(this.folder, 'log')
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }

  killDaemons(): void {
    for (const pid of this.daemons()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It ended by itself meanwhile.
      }
    }
  }
}

/** A local pool set, `pool.set` in this folder. */
export function localSet(folder: string, ...lines: readonly string[]): string {
  const path = join(folder, 'pool.set')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path, ['PMEMPOOLSET', ...lines, ''].join('\n'))
  return path
}
