import type { Io } from '../../cli/io.js'

/** A world for commands: remembers what was printed. */
export class FakeIo implements Io {
  stdout = ''
  stderr = ''
  readonly terminal: boolean = false
  readonly colors: boolean = false
  readonly columns = 80
  readonly env: Readonly<Record<string, string | undefined>> = {}
  readonly signal: AbortSignal = new AbortController().signal

  readonly out = (text: string): void => {
    this.stdout += text
  }

  readonly err = (text: string): void => {
    this.stderr += text
  }
}
