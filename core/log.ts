/** Levels of rpmemd(1), most severe first. */
export const logLevels = ['err', 'warn', 'notice', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/** Where a room reports what it decided. Never a secret, never user data. */
export interface Log {
  write(level: LogLevel, message: string): void
}

export const silentLog: Log = { write: () => {} }

/** A name that the other end sent must not be able to forge a line of a log or to move the cursor of its reader. */
export const singleLine = (message: string): string =>
  message.replace(/[\p{Cc}\u2028\u2029]/gu, found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Text of a foreign machine for people: whatever could command a terminal is shown as a dot, line breaks and tabs stay. */
export const printable = (text: string): string => text.replace(/[^\P{C}\n\t]/gu, '\u00b7')

/** Passes on what is at least as severe as `level`. */
export function filteredLog(level: LogLevel, sink: Log): Log {
  const limit = logLevels.indexOf(level)
  return {
    write(messageLevel, message) {
      if (logLevels.indexOf(messageLevel) <= limit) sink.write(messageLevel, message)
    },
  }
}
