import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { hasCode } from '../../core/index.js'
import type { TargetAddress } from '../../initiator/index.js'
import { type HostConfig, resolveHost } from '../../initiator/ssh-config.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

interface Home {
  readonly home: string
  resolve(address: TargetAddress): HostConfig
  write(name: string, text: string): string
}

function home(t: Test, user: string, system = ''): Home {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, '.ssh/conf.d'), { recursive: true })
  const write = (name: string, text: string) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }
  write('.ssh/config', user)
  const systemFile = write('system_config', system)
  return { home: folder, write, resolve: address => resolveHost(address, { home: folder, systemFile }) }
}

t.test('without configuration the defaults of ssh hold', async t => {
  const { home: folder, resolve } = home(t, '')
  t.match(resolve({ host: 'node2' }), {
    host: 'node2',
    port: 22,
    user: userInfo().username,
    identityFiles: [],
    jumps: [],
    family: 0,
    knownHostsFiles: [join(folder, '.ssh/known_hosts'), join(folder, '.ssh/known_hosts2'), '/etc/ssh/ssh_known_hosts'],
  })
})

t.test('the first value found wins, the caller before all, the user file before the system file', async t => {
  const { resolve } = home(
    t,
    'Host node2 !node3\n  HostName 10.0.0.2\n  User = alice\nHost *\n  User bob\n  Port 2200\n',
    'Port 2300\nConnectTimeout 5\n',
  )
  t.match(resolve({ host: 'node2' }), { host: '10.0.0.2', user: 'alice', port: 2200, connectTimeoutMs: 5000 })
  t.match(resolve({ host: 'node3' }), { host: 'node3', user: 'bob', port: 2200 })
  t.match(resolve({ host: 'node2', user: 'carol', port: 7 }), { user: 'carol', port: 7 })
})

t.test('identity files gather, with tilde and tokens expanded', async t => {
  const { home: folder, resolve } = home(
    t,
    'Host node2\n IdentityFile ~/.ssh/%h_%r\n IdentitiesOnly yes\nHost *\n User dave\n IdentityFile "%d/with blank/%u"\n',
  )
  t.same(resolve({ host: 'node2' }).identityFiles, [
    join(folder, '.ssh/node2_dave'),
    join(folder, `with blank/${userInfo().username}`),
  ])
  t.equal(resolve({ host: 'node2' }).identitiesOnly, true)
  t.equal(resolve({ host: 'node3' }).identitiesOnly, false)
})

t.test('HostName may use the alias', async t => {
  const { resolve } = home(t, 'Host n*\n HostName %h.lab.example\n')
  t.match(resolve({ host: 'n2' }), { alias: 'n2', host: 'n2.lab.example' })
})

t.test('Match looks at host, user and the original host', async t => {
  const { resolve } = home(
    t,
    [
      'Host short\n HostName long.example',
      'Match host *.example user erin\n Port 1',
      'Match originalhost short\n Port 2',
      'Match !host *.example all\n Port 3',
      `Match localuser ${userInfo().username}\n Port 4`,
    ].join('\n'),
  )
  t.equal(resolve({ host: 'short', user: 'erin' }).port, 1)
  t.equal(resolve({ host: 'short', user: 'frank' }).port, 2)
  t.equal(resolve({ host: 'elsewhere' }).port, 3)
  t.equal(resolve({ host: 'long.example', user: 'x' }).port, 4)
})

t.test('Match final sees the host name of the first pass', async t => {
  const { resolve } = home(t, 'Match final host *.example\n Port 9\nHost short\n HostName long.example\n')
  t.equal(resolve({ host: 'short' }).port, 9)
})

t.test('Include reads other files where it stands, by pattern and only where it applies', async t => {
  const { write, resolve } = home(t, 'Host node2\n Include conf.d/*.conf\n Include nowhere\nHost *\n Port 5\n')
  write('.ssh/conf.d/a.conf', 'User gina\nHost node9\n User nobody\n')
  write('.ssh/conf.d/b.conf', 'User later\nPort 6\n')
  t.match(resolve({ host: 'node2' }), { user: 'gina', port: 6 })
  t.match(resolve({ host: 'node3' }), { user: userInfo().username, port: 5 })
})

t.test('a file that includes itself is an error with its place', async t => {
  const { home: folder, resolve } = home(t, '\nInclude config\n')
  t.throws(() => resolve({ host: 'x' }), {
    code: 'ERR_SSH_CONFIG',
    facts: { file: join(folder, '.ssh/config'), line: 2 },
  })
})

t.test('jumps, host key alias, agent and address family are taken over', async t => {
  const { home: folder, resolve } = home(
    t,
    [
      'Host node2\n ProxyJump me@gate:2222,[::1]:7\n HostKeyAlias the-node\n AddressFamily inet6',
      ' IdentityAgent ~/agent\n UserKnownHostsFile ~/one /two\n GlobalKnownHostsFile none',
      'Host node3\n ProxyJump none\n IdentityAgent SSH_AUTH_SOCK',
    ].join('\n'),
  )
  t.match(resolve({ host: 'node2' }), {
    jumps: [
      { user: 'me', host: 'gate', port: 2222 },
      { host: '::1', port: 7 },
    ],
    hostKeyAlias: 'the-node',
    family: 6,
    identityAgent: join(folder, 'agent'),
  })
  t.same(resolve({ host: 'node2' }).knownHostsFiles, [join(folder, 'one'), '/two'])
  t.match(resolve({ host: 'node3' }), { jumps: [], identityAgent: undefined })
})

t.test('a lax host key policy is not followed, and said so', async t => {
  const { resolve } = home(t, 'StrictHostKeyChecking no\n')
  t.match(resolve({ host: 'x' }).ignored, [/StrictHostKeyChecking no is not followed/])
})

const wrong = [
  ['Port many', /Port is not a number/],
  ['Port', /has no value/],
  ['"" x', /keyword is empty/],
  ['User "half', /quotation mark/],
  ['ProxyCommand nc %h %p', /ProxyCommand is not supported/],
  ['ProxyJump -x', /ProxyJump names no address/],
  ['Match exec "test -e x"\n Port 3', /Match exec is not supported/],
  ['IdentityFile %z', /the token %z/],
  ['ConnectTimeout soon', /ConnectTimeout/],
] as const

for (const [text, rule] of wrong) {
  t.test(`${text.split('\n')[0]} is an error with its line`, async t => {
    const { resolve } = home(t, `# first line\n${text}\n`)
    t.throws(() => resolve({ host: 'x' }), { code: 'ERR_SSH_CONFIG', message: rule, facts: { line: 2 } })
  })
}

t.test('any configuration resolves or is ERR_SSH_CONFIG', async t => {
  const { write, resolve } = home(t, '')
  const keywords = [
    'Host',
    'Match',
    'HostName',
    'User',
    'Port',
    'IdentityFile',
    'ProxyJump',
    'Include',
    'ConnectTimeout',
  ]
  const words = fc.oneof(
    fc.constantFrom('*', 'x', '!x', 'all', 'final', 'host', '"', '%h', '%%', '#', '='),
    fc.string(),
  )
  const line = fc
    .tuple(fc.constantFrom(...keywords), fc.array(words))
    .map(([keyword, rest]) => [keyword, ...rest].join(' '))
  fc.assert(
    fc.property(fc.array(line), lines => {
      write('.ssh/config', lines.join('\n'))
      try {
        return resolve({ host: 'x' }).alias === 'x'
      } catch (error) {
        return hasCode(error, 'ERR_SSH_CONFIG')
      }
    }),
    { seed: 12 },
  )
  t.pass('held')
})
