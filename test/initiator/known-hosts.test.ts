import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  fingerprint,
  hostKeyName,
  judgeHostKey,
  knownKeyTypes,
  parseKnownHosts,
  readKnownHosts,
} from '../../initiator/known-hosts.js'
import { makeKey } from '../fixture/open-ssh-server.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

interface Keys {
  readonly folder: string
  readonly first: PublicKey
  readonly second: PublicKey
  readonly ecdsa: PublicKey
}

interface PublicKey {
  readonly text: string
  readonly blob: Uint8Array
  readonly file: string
}

function publicKey(folder: string, name: string, type: string): PublicKey {
  const file = `${makeKey(folder, name, type)}.pub`
  const [kind, encoded = ''] = readFileSync(file, 'utf8').split(' ')
  return { text: `${kind} ${encoded}`, blob: Buffer.from(encoded, 'base64'), file }
}

function keys(t: Test): Keys {
  const folder = temporaryFolder(t)
  return {
    folder,
    first: publicKey(folder, 'first', 'ed25519'),
    second: publicKey(folder, 'second', 'ed25519'),
    ecdsa: publicKey(folder, 'ecdsa', 'ecdsa'),
  }
}

const stateOf = (text: string, name: string, { blob }: PublicKey): string =>
  judgeHostKey(parseKnownHosts(text, 'file'), name, blob).state

t.test('plain names, wildcards, negations and ports are found', async t => {
  const { first } = keys(t)
  const text = `# a comment\n\nnode2,10.0.0.2 ${first.text}\n*.lab,!bad.lab ${first.text}\n[node3]:2222 ${first.text}\nnode?x ${first.text}\n`
  const known = { node2: 22, '10.0.0.2': 22, NODE2: 22, 'a.lab': 22, node3: 2222, node7x: 22 }
  for (const [host, port] of Object.entries(known))
    t.equal(stateOf(text, hostKeyName(host, port), first), 'trusted', host)
  const unknown = { 'bad.lab': 22, node3: 22, lab: 22, node77x: 22 }
  for (const [host, port] of Object.entries(unknown))
    t.equal(stateOf(text, hostKeyName(host, port), first), 'unknown', host)
})

t.test('names hashed by ssh-keygen are found', async t => {
  const { folder, first, second } = keys(t)
  const file = join(folder, 'known_hosts')
  writeFileSync(file, `node2 ${first.text}\n[node3]:2222 ${second.text}\n`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' })
  t.match(readFileSync(file, 'utf8'), /^\|1\|/)
  const entries = readKnownHosts([file])
  t.equal(judgeHostKey(entries, 'node2', first.blob).state, 'trusted')
  t.equal(judgeHostKey(entries, '[node3]:2222', second.blob).state, 'trusted')
  t.match(judgeHostKey(entries, 'node2', second.blob), { state: 'changed', entry: { file, line: 1 } })
  t.equal(judgeHostKey(entries, 'node4', first.blob).state, 'unknown')
})

t.test('another key of the same type has changed, one of another type is unknown', async t => {
  const { first, second, ecdsa } = keys(t)
  const text = `node2 ${first.text}\n`
  t.equal(stateOf(text, 'node2', second), 'changed')
  t.equal(stateOf(text, 'node2', ecdsa), 'unknown')
  t.equal(stateOf(`${text}node2 ${second.text}\n`, 'node2', second), 'trusted', 'a host may have two keys')
})

t.test('a revoked key is refused although it is known', async t => {
  const { first } = keys(t)
  t.equal(stateOf(`node2 ${first.text}\n@revoked * ${first.text}\n`, 'node2', first), 'revoked')
})

t.test('an authority is reported and does not make a plain key trusted', async t => {
  const { first, second } = keys(t)
  const entries = parseKnownHosts(`@cert-authority *.lab ${second.text}\n`, 'file')
  t.match(judgeHostKey(entries, 'a.lab', first.blob), { state: 'unknown', authority: { line: 1 } })
  t.equal(judgeHostKey(entries, 'a.lab', second.blob).state, 'unknown')
})

t.test('damaged lines and missing files are passed over', async t => {
  const { first } = keys(t)
  const text = `node2\nnode2 ssh-ed25519\nnode2 ssh-ed25519 AAAA\n@strange node2 ${first.text}\n|1|x ${first.text}\n|2|a|b ${first.text}\n`
  t.equal(stateOf(text, 'node2', first), 'unknown')
  t.same(readKnownHosts(['/nowhere/known_hosts']), [])
})

t.test('the known types of a host are named', async t => {
  const { first, ecdsa } = keys(t)
  const entries = parseKnownHosts(`node2 ${ecdsa.text}\nnode2 ${first.text}\nother ${first.text}\n`, 'file')
  t.same(knownKeyTypes(entries, 'node2'), ['ecdsa-sha2-nistp256', 'ssh-ed25519'])
})

t.test('the fingerprint is that of ssh-keygen', async t => {
  const { first } = keys(t)
  t.match(execFileSync('ssh-keygen', ['-lf', first.file], { encoding: 'utf8' }), fingerprint(first.blob))
})

t.test('no text makes the reader fail', async t => {
  const line = fc.tuple(fc.constantFrom('', '@revoked ', '@cert-authority ', '|1|'), fc.string(), fc.base64String())
  const lines = line.map(([marker, names, key]) => `${marker}${names} ssh-ed25519 ${key}`)
  fc.assert(
    fc.property(fc.array(fc.oneof(lines, fc.string({ unit: 'binary' }))), fc.string(), (texts, name) => {
      const { state } = judgeHostKey(parseKnownHosts(texts.join('\n'), 'file'), name, new Uint8Array(51))
      return state === 'unknown'
    }),
    { seed: 11 },
  )
  t.pass('held')
})
