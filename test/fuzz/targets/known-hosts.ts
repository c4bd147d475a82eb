import { ok } from 'node:assert/strict'
import { judgeHostKey, knownKeyTypes, parseKnownHosts } from '../../../initiator/known-hosts.js'
import { type FuzzTarget, utf8 } from '../fuzz-target.js'

/** An ed25519 key that nobody has. */
const key = Buffer.concat([
  Buffer.from('0000000b', 'hex'),
  Buffer.from('ssh-ed25519'),
  Buffer.from('00000020', 'hex'),
  Buffer.alloc(32, 9),
])
const other = Buffer.concat([key.subarray(0, 19), Buffer.alloc(32, 3)]).toString('base64')
const hashed = `|1|${Buffer.alloc(20, 1).toString('base64')}|${Buffer.alloc(20, 2).toString('base64')}`

export const target: FuzzTarget = {
  claim: 'No file of known hosts that does not hold a key makes us trust it',
  seeds: [
    `node2 ssh-ed25519 ${other}\n[node2]:2222,10.0.0.1 ssh-ed25519 ${other} comment\n`,
    `@revoked * ssh-ed25519 ${other}\n@cert-authority *.example ssh-rsa AAAA\n${hashed} ssh-ed25519 ${other}\n`,
    '# none\n\n!node2,node? ssh-ed25519\n',
  ].map(utf8),
  words: ['node2', '[node2]:22', '*', '!', ',', '|1|', '@revoked ', '@cert-authority ', 'ssh-ed25519 ', other, '\n'],
  smokeRuns: 100_000,
  run(input) {
    const entries = parseKnownHosts(Buffer.from(input).toString('utf8'), 'known_hosts')
    knownKeyTypes(entries, 'node2')
    const { state } = judgeHostKey(entries, 'node2', key)
    ok(state !== 'trusted' && state !== 'revoked', 'a key that is not in the file is neither trusted nor revoked')
  },
}
