import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ssh2, { type Connection } from 'ssh2'
import t, { type Test } from 'tap'
import { parseAddress, SshClient, type SshClientOptions } from '../../initiator/index.js'
import { makeKey } from '../fixture/open-ssh-server.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

/** An SSH server that lets everybody in and then answers nothing, as one that is stopped after the authentication. */
async function silentServer(t: Test) {
  const folder = temporaryFolder(t)
  const hostKey = makeKey(folder, 'host_key', 'ed25519')
  const connections = new Set<Connection>()
  const asked: string[] = []
  let heard = () => {}
  const request = new Promise<void>(resolve => {
    heard = resolve
  })
  const ask = (what: string) => {
    asked.push(what)
    heard()
  }
  const server = new ssh2.Server({ hostKeys: [readFileSync(hostKey)] }, connection => {
    connections.add(connection)
    connection.on('error', () => {}).on('close', () => connections.delete(connection))
    connection.on('authentication', context => context.accept())
    connection.on('session', accept => accept().on('exec', () => ask('exec')))
    connection.on('tcpip', () => ask('tcpip'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const connection of connections) connection.end()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const identityFile = makeKey(folder, 'identity', 'ed25519')
  const knownHostsFile = join(folder, 'known_hosts')
  writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${readFileSync(`${hostKey}.pub`, 'utf8')}`)
  const files = { home: folder, knownHostsFiles: [knownHostsFile], identityFiles: [identityFile] }
  const client = (address: string, options: SshClientOptions) =>
    new SshClient(parseAddress(address), { ...files, configFile: join(folder, 'no_config'), ...options })
  return { folder, port, asked, request, client }
}

t.test('a command that the server never starts is ERR_SSH_UNREACHABLE in time', async t => {
  const { port, asked, client } = await silentServer(t)
  const launch = client(`127.0.0.1:${port}`, { connectTimeoutMs: 1000 }).launch('true')
  await t.rejects(launch, { code: 'ERR_SSH_UNREACHABLE', message: /did not start the command within 1000 ms/ })
  t.same(asked, ['exec'])
})

t.test('an abort ends the wait for the start of the command', async t => {
  const { port, request, client } = await silentServer(t)
  const controller = new AbortController()
  const launch = client(`127.0.0.1:${port}`, {}).launch('true', { signal: controller.signal })
  void request.then(() => controller.abort())
  await t.rejects(launch, { code: 'ERR_ABORTED' })
})

t.test('a jump host that never answers is ERR_SSH_UNREACHABLE in time, and an abort ends the wait', async t => {
  const { folder, port, asked, request, client } = await silentServer(t)
  const configFile = join(folder, 'config')
  writeFileSync(configFile, `Host node2\n HostName 127.0.0.1\n Port 9\n ProxyJump 127.0.0.1:${port}\n`)
  const late = client('node2', { configFile, connectTimeoutMs: 1000 }).launch('true')
  await t.rejects(late, { code: 'ERR_SSH_UNREACHABLE', message: /jump host did not reach it within 1000 ms/ })
  t.same(asked, ['tcpip'])
  const controller = new AbortController()
  const launch = client('node2', { configFile }).launch('true', { signal: controller.signal })
  await request
  controller.abort()
  await t.rejects(launch, { code: 'ERR_ABORTED' })
})
