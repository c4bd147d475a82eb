import { isIPv6 } from 'node:net'
import { RpmemError } from '../core/index.js'

/** Where a target is reached, as written by the user; the ssh configuration may say more. */
export interface TargetAddress {
  readonly user?: string
  /** Host name, alias of the ssh configuration, IPv4 or IPv6 address, without brackets. */
  readonly host: string
  /** 1 … 65535. */
  readonly port?: number
}

/**
 * Reads `[user@]host[:port]`, as the target argument of rpmem_create(3). An IPv6 address with a port stands in brackets;
 * without a port it needs none. ERR_ADDRESS names the position of the mistake.
 */
export function parseAddress(text: string): TargetAddress {
  const at = text.indexOf('@')
  if (at === 0) throw wrong(text, 0, 'the user before @ is missing')
  const user = at > 0 ? { user: checkWord(text, 'user', text.slice(0, at), 0) } : {}
  const rest = text.slice(at + 1)
  return { ...user, ...(rest.startsWith('[') ? bracketed(text, at + 1) : plain(text, at + 1)) }
}

/** The form that `parseAddress` reads. */
export function formatAddress({ user, host, port }: TargetAddress): string {
  const bracketedHost = host.includes(':') && port !== undefined ? `[${host}]` : host
  return `${user === undefined ? '' : `${user}@`}${bracketedHost}${port === undefined ? '' : `:${port}`}`
}

function bracketed(text: string, start: number): TargetAddress {
  const end = text.indexOf(']', start)
  if (end < 0) throw wrong(text, start, 'the bracket is not closed')
  const host = checkWord(text, 'host', text.slice(start + 1, end), start + 1)
  if (host.includes(':') && !isIPv6(host)) throw wrong(text, start + 1, 'the brackets hold no IPv6 address')
  const tail = text.slice(end + 1)
  if (tail === '') return { host }
  if (!tail.startsWith(':')) throw wrong(text, end + 1, 'only a colon and a port may follow the bracket')
  return { host, port: parsePort(text, end + 2) }
}

function plain(text: string, start: number): TargetAddress {
  const rest = text.slice(start)
  const colon = rest.indexOf(':')
  if (colon >= 0 && rest.indexOf(':', colon + 1) >= 0) return { host: bareIPv6(text, rest, start, colon) }
  if (colon < 0) return { host: checkWord(text, 'host', rest, start) }
  const host = checkWord(text, 'host', rest.slice(0, colon), start)
  return { host, port: parsePort(text, start + colon + 1) }
}

function bareIPv6(text: string, rest: string, start: number, colon: number): string {
  if (isIPv6(rest)) return checkWord(text, 'host', rest, start)
  throw wrong(text, start + rest.indexOf(':', colon + 1), 'more than one colon, but it is no IPv6 address')
}

/** A word that begins with `-` would be an option to an external ssh, and blanks would end the word, those of Unicode for its reader. */
function checkWord(text: string, noun: string, word: string, start: number): string {
  if (word === '') throw wrong(text, start, `the ${noun} is empty`)
  if (word.startsWith('-')) throw wrong(text, start, `the ${noun} begins with a hyphen`)
  const foreign = /[^\w.:%+~$\-\u00a1-\uffff]|\s/.exec(word)
  if (foreign) throw wrong(text, start + foreign.index, `the ${noun} contains ${JSON.stringify(foreign[0])}`)
  return word
}

function parsePort(text: string, start: number): number {
  const digits = text.slice(start)
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0
  if (port >= 1 && port <= 65535) return port
  throw wrong(text, start, 'the port is not a number from 1 to 65535')
}

function wrong(text: string, position: number, rule: string): RpmemError {
  const shown = text.length > 300 ? `${text.slice(0, 300)}…` : text
  return new RpmemError(
    'ERR_ADDRESS',
    `the target address ${JSON.stringify(shown)} is wrong at character ${position + 1}: ${rule}`,
    {
      facts: { address: shown, position: position + 1, rule },
    },
  )
}
