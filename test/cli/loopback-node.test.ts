import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ssh2, { type ConnectConfig } from 'ssh2'
import t from 'tap'
import { freshKey } from '../../cli/fresh-key.js'
import { LoopbackNodes, shellWords } from '../../cli/loopback-node.js'

const { Client } = ssh2

const refusal = Object.assign(new Error('All configured authentication methods failed'), {
  level: 'client-authentication',
})

const connect = async (config: ConnectConfig): Promise<ssh2.Client> => {
  const client = new Client()
  client.connect({ host: '127.0.0.1', ...config })
  await once(client, 'ready')
  return client
}

t.test('each node is a user with a folder of its own, and only the fresh key opens it', async t => {
  const nodes = await LoopbackNodes.start(t.testdir({}), ['node-a', 'node-b'])
  t.teardown(() => nodes.close())
  t.equal(nodes.address('node-a'), `node-a@127.0.0.1:${nodes.port}`)
  t.not(nodes.poolSetDir('node-a'), nodes.poolSetDir('node-b'))
  const privateKey = readFileSync(nodes.identityFile)
  const client = await connect({ port: nodes.port, username: 'node-b', privateKey })
  client.end()
  await t.rejects(connect({ port: nodes.port, username: 'node-c', privateKey }), refusal)
  const stranger = freshKey().private
  await t.rejects(connect({ port: nodes.port, username: 'node-a', privateKey: stranger }), refusal)
})

t.test('known_hosts holds the key that the server shows', async t => {
  const nodes = await LoopbackNodes.start(t.testdir({}), ['node-a'])
  t.teardown(() => nodes.close())
  const [host, type, key] = readFileSync(nodes.knownHostsFile, 'utf8').trim().split(' ')
  t.same([host, type], [`[127.0.0.1]:${nodes.port}`, 'ssh-ed25519'])
  let shown = ''
  const hostVerifier = (raw: Buffer) => {
    shown = raw.toString('base64')
    return true
  }
  const privateKey = readFileSync(nodes.identityFile)
  const client = await connect({ port: nodes.port, username: 'node-a', privateKey, hostVerifier })
  client.end()
  t.equal(shown, key)
})

t.test('no command but rpmemd is run', async t => {
  const nodes = await LoopbackNodes.start(t.testdir({}), ['node-a'])
  t.teardown(() => nodes.close())
  const client = await connect({
    port: nodes.port,
    username: 'node-a',
    privateKey: readFileSync(nodes.identityFile),
  })
  const refused = new Promise(resolve => client.exec('id', error => resolve(error)))
  t.match(await refused, { message: /exec/i })
  client.end()
})

t.test('the daemon takes no settings from the configuration files of the machine and the user', async t => {
  const nodes = await LoopbackNodes.start(t.testdir({}), ['node-a'])
  t.teardown(() => nodes.close())
  writeFileSync(join(nodes.poolSetDir('node-a'), '.rpmemd.conf'), 'poolset-dir = /nowhere\nno such key\n')
  const privateKey = readFileSync(nodes.identityFile)
  const client = await connect({ port: nodes.port, username: 'node-a', privateKey })
  t.teardown(() => client.end())
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) =>
    client.exec('rpmemd negotiate', (error, opened) => (error ? reject(error) : resolve(opened))),
  )
  const [first] = await once(channel, 'data')
  t.equal(first.subarray(0, 4).toString('latin1'), 'RPM1')
  // A daemon that did not start tells why behind the same word.
  t.notMatch(first.toString('latin1'), /ERR_CONFIG/)
  channel.end()
  await once(channel, 'close')
})

t.test('a command is parted into words as a shell would do it', async t => {
  t.same(shellWords('rpmemd negotiate'), ['rpmemd', 'negotiate'])
  t.same(shellWords(String.raw`rpmemd --remove 'a b'\''s.set' --force`), ['rpmemd', '--remove', "a b's.set", '--force'])
  t.same(shellWords(''), [])
})
