import { readFileSync } from 'node:fs'

/** What strace(1) wrote about a process and its threads. */
export class SystemCalls {
  static readonly #watched = 'mmap,msync,fsync,fdatasync,sync_file_range,access,faccessat,faccessat2'
  readonly #lines: readonly string[]

  /** `begin` and `end` are names that the process looked for; without them all that it did counts. */
  constructor(path: string, begin?: string, end?: string) {
    const lines = readFileSync(path, 'utf8').split('\n')
    const at = (name: string) => lines.findIndex(line => line.includes(`"${name}"`))
    this.#lines = begin === undefined || end === undefined ? lines : lines.slice(at(begin) + 1, at(end))
  }

  /** Words that run a command under strace. */
  static words(path: string): string[] {
    return [
      'strace',
      '--follow-forks',
      '--seccomp-bpf',
      '--quiet=all',
      `--trace=${SystemCalls.#watched}`,
      `--output=${path}`,
    ]
  }

  count(call: 'msync' | 'fsync' | 'fdatasync' | 'sync_file_range'): number {
    return this.#lines.filter(line => line.includes(` ${call}(`)).length
  }

  /** Mappings with MAP_SYNC that the kernel granted. */
  get synchronousMappings(): number {
    return this.#lines.filter(line => /mmap\(.*MAP_SYNC.*\) = 0x/.test(line)).length
  }
}
