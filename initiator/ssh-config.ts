import { homedir, hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { formatAddress, parseAddress, type TargetAddress } from './address.js'
import { configError, type Directive } from './ssh-config-file.js'
import { ConfigReading, expandTokens, HostDirectives, withHome } from './ssh-config-reading.js'

/** How to reach and recognise a host: the address of the caller completed by ssh_config(5). */
export interface HostConfig {
  /** As the caller wrote it, before HostName. */
  readonly alias: string
  readonly host: string
  readonly port: number
  readonly user: string
  /** Named by IdentityFile, in order; empty: ssh's default files. */
  readonly identityFiles: readonly string[]
  readonly identitiesOnly: boolean
  /** Socket of the agent; undefined: that of the environment; 'none': no agent. */
  readonly identityAgent: string | undefined
  /** Hosts to pass through, first hop first. */
  readonly jumps: readonly TargetAddress[]
  readonly knownHostsFiles: readonly string[]
  /** Looked up in known_hosts instead of host and port. */
  readonly hostKeyAlias: string | undefined
  readonly connectTimeoutMs: number | undefined
  /** 0: either. */
  readonly family: 0 | 4 | 6
  /** Directives that were read and deliberately not followed, for the log. */
  readonly ignored: readonly string[]
}

export interface SshConfigFiles {
  /** Read instead of the user's and the system-wide file. */
  readonly configFile?: string | undefined
  readonly home?: string | undefined
  readonly systemFile?: string
}

/** Completes an address as ssh does: the first value found wins, the user's file before the system-wide one. */
export function resolveHost(address: TargetAddress, files: SshConfigFiles = {}): HostConfig {
  const home = files.home ?? homedir()
  const found = new HostDirectives(address)
  const sources = files.configFile
    ? [{ file: files.configFile, base: join(home, '.ssh') }]
    : [
        { file: join(home, '.ssh/config'), base: join(home, '.ssh') },
        { file: files.systemFile ?? '/etc/ssh/ssh_config', base: '/etc/ssh' },
      ]
  const readAll = () => {
    for (const { file, base } of sources) new ConfigReading(found, home, base).read(file, true, 0)
  }
  readAll()
  if (found.wantsFinal) {
    found.final = true
    readAll()
  }
  return hostConfig(address, found, home)
}

function hostConfig(address: TargetAddress, found: HostDirectives, home: string): HostConfig {
  const port = address.port ?? portOf(found.directive('port')) ?? 22
  const { host, user } = found
  const tokens = {
    h: host,
    p: String(port),
    r: user,
    u: userInfo().username,
    d: home,
    l: hostname(),
    n: found.alias,
    '%': '%',
  }
  const path = (directive: Directive, word: string) => withHome(expandTokens(directive, word, tokens), home)
  const paths = (keyword: string) => {
    const directive = found.directive(keyword)
    return directive?.words.filter(word => word !== 'none').map(word => path(directive, word))
  }
  refuseProxyCommand(found)
  return {
    alias: found.alias,
    host,
    port,
    user,
    identityFiles: found.list('identityfile').map(directive => path(directive, directive.words[0] ?? '')),
    identitiesOnly: found.word('identitiesonly')?.toLowerCase() === 'yes',
    identityAgent: agentOf(found, path),
    jumps: jumpsOf(found, tokens),
    knownHostsFiles: [
      ...(paths('userknownhostsfile') ?? [join(home, '.ssh/known_hosts'), join(home, '.ssh/known_hosts2')]),
      ...(paths('globalknownhostsfile') ?? ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']),
    ],
    hostKeyAlias: found.word('hostkeyalias'),
    connectTimeoutMs: timeoutOf(found.directive('connecttimeout')),
    family: familyOf(found.word('addressfamily')),
    ignored: ignoredOf(found),
  }
}

function portOf(directive: Directive | undefined): number | undefined {
  if (directive === undefined) return undefined
  const word = directive.words[0] ?? ''
  const port = /^\d{1,5}$/.test(word) ? Number(word) : 0
  if (port < 1 || port > 65535) throw configError(directive, 'Port is not a number from 1 to 65535')
  return port
}

function timeoutOf(directive: Directive | undefined): number | undefined {
  const word = directive?.words[0]
  if (directive === undefined || word === undefined || word === 'none') return undefined
  if (!/^\d{1,6}$/.test(word)) throw configError(directive, 'ConnectTimeout is not a number of seconds')
  return Number(word) > 0 ? Number(word) * 1000 : undefined
}

const familyOf = (word: string | undefined): 0 | 4 | 6 => (word === 'inet' ? 4 : word === 'inet6' ? 6 : 0)

function agentOf(found: HostDirectives, path: (directive: Directive, word: string) => string): string | undefined {
  const directive = found.directive('identityagent')
  const word = directive?.words[0]
  if (directive === undefined || word === undefined || word === 'SSH_AUTH_SOCK') return undefined
  return word.startsWith('$') ? (process.env[word.slice(1).replace(/^\{|\}$/g, '')] ?? 'none') : path(directive, word)
}

/** ProxyJump a,b goes through a, then b. */
function jumpsOf(found: HostDirectives, tokens: Readonly<Record<string, string>>): TargetAddress[] {
  const directive = found.directive('proxyjump')
  const word = directive?.words[0]
  if (directive === undefined || word === undefined || word.toLowerCase() === 'none') return []
  return expandTokens(directive, word, tokens)
    .split(',')
    .map(hop => jump(directive, hop))
}

function jump(directive: Directive, hop: string): TargetAddress {
  try {
    return parseAddress(hop.replace(/^ssh:\/\//, ''))
  } catch (cause) {
    throw configError(directive, 'ProxyJump names no address', cause)
  }
}

/** A command line of the user's is the business of a shell, which the built-in client does not start. */
function refuseProxyCommand(found: HostDirectives): void {
  const proxy = found.directive('proxycommand')
  if (proxy === undefined || proxy.words[0]?.toLowerCase() === 'none') return
  const jump = found.directive('proxyjump')
  if (jump !== undefined && jump.words[0]?.toLowerCase() !== 'none') return
  throw configError(proxy, 'ProxyCommand is not supported by the built-in client; use ProxyJump')
}

function ignoredOf(found: HostDirectives): string[] {
  const strict = found.word('stricthostkeychecking')?.toLowerCase()
  const lax = strict === 'no' || strict === 'off' || strict === 'accept-new'
  return lax ? [`StrictHostKeyChecking ${strict} is not followed: an unknown host key is refused all the same`] : []
}

/** 'user@host:port' of a resolved host, for messages. */
export const describeHost = ({ user, host, port }: HostConfig): string => formatAddress({ user, host, port })
