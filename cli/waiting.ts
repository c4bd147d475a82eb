import type { Io } from './io.js'
import { paintFor } from './paint.js'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** Shows on a terminal that something is under way and for how long; silent in a pipe and for what takes under 0.3 s. */
export async function waiting<T>(io: Io, what: string, work: Promise<T>): Promise<T> {
  if (!io.terminal) return work
  const paint = paintFor(io)
  let ticks = 0
  const timer = setInterval(() => {
    ticks++
    if (ticks < 3) return
    io.err(
      `\r${paint.bar(frames[ticks % frames.length] ?? '')} ${what} ${paint.faint(`${Math.floor(ticks / 10)} s`)}\x1b[K`,
    )
  }, 100)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (ticks >= 3) io.err('\r\x1b[K')
  }
}
