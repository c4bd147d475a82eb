import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAddress, type RemoteProcess, SshClient, type SshClientOptions } from '../../initiator/index.js'
import { freePort, makeKey, type OpenSshServer, startOpenSshServer } from '../fixture/open-ssh-server.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

function clientFor(server: OpenSshServer, options: SshClientOptions = {}, address = server.address): SshClient {
  return new SshClient(parseAddress(address), {
    home: server.folder,
    configFile: join(server.folder, 'no_config'),
    knownHostsFiles: [server.knownHostsFile],
    identityFiles: [server.identityFile],
    connectTimeoutMs: 10_000,
    ...options,
  })
}

async function outputOf(
  process: RemoteProcess,
): Promise<{ stdout: string; stderr: string; exitCode: number | undefined }> {
  const texts = { stdout: '', stderr: '' }
  process.stdout.on('data', (chunk: Buffer) => {
    texts.stdout += chunk
  })
  process.stderr.on('data', (chunk: Buffer) => {
    texts.stderr += chunk
  })
  const { exitCode } = await process.ended
  return { ...texts, exitCode }
}

async function agent(t: Test, ...keys: readonly string[]): Promise<string> {
  const socket = join(temporaryFolder(t), 'agent')
  const child: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGTERM'))
  if (child.stdout) await once(child.stdout, 'data')
  for (const key of keys) execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
  return socket
}

t.test('a command runs with its streams apart and its exit code', async t => {
  const server = await startOpenSshServer(t)
  const process = await clientFor(server).launch('cat; echo remark >&2; exit 7')
  process.stdin.end('given')
  t.same(await outputOf(process), { stdout: 'given', stderr: 'remark\n', exitCode: 7 })
  t.equal(process.peerAddress, '127.0.0.1')
})

t.test('the end of input reaches the command, and kill ends it', async t => {
  const server = await startOpenSshServer(t)
  const process = await clientFor(server).launch('echo $$; exec sleep 1000')
  const [chunk] = (await once(process.stdout, 'data')) as [Buffer]
  t.match(String(chunk), /^\d+\n$/)
  process.kill()
  const end = await process.ended
  t.equal(end.exitCode, undefined)
})

t.test('a name that does not resolve is ERR_HOST_UNKNOWN', async t => {
  const client = new SshClient(parseAddress('no-such-host.invalid'), {
    configFile: '/nowhere',
    connectTimeoutMs: 10_000,
  })
  await t.rejects(client.launch('true'), { code: 'ERR_HOST_UNKNOWN' })
})

t.test('a closed port is ERR_SSH_REFUSED', async t => {
  const client = new SshClient(parseAddress(`127.0.0.1:${await freePort()}`), { configFile: '/nowhere' })
  await t.rejects(client.launch('true'), { code: 'ERR_SSH_REFUSED', facts: { system: 'ECONNREFUSED' } })
})

t.test('a server that never speaks is ERR_SSH_UNREACHABLE in time', async t => {
  const { createServer } = await import('node:net')
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const address = silent.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const client = new SshClient(parseAddress(`127.0.0.1:${port}`), { configFile: '/nowhere', connectTimeoutMs: 300 })
  await t.rejects(client.launch('true'), { code: 'ERR_SSH_UNREACHABLE' })
})

t.test('an unknown host key is refused with its fingerprint', async t => {
  const server = await startOpenSshServer(t)
  const empty = join(server.folder, 'empty')
  const shown = execFileSync('ssh-keygen', ['-lf', join(server.folder, 'host_ed25519.pub')], { encoding: 'utf8' })
  await t.rejects(clientFor(server, { knownHostsFiles: [empty] }).launch('true'), {
    code: 'ERR_HOST_KEY_UNKNOWN',
    facts: { fingerprint: shown.split(' ')[1], files: [empty] },
    hint: /ssh-keyscan -p/,
  })
})

t.test('a changed host key is refused with the line that knows better', async t => {
  const server = await startOpenSshServer(t)
  const other = makeKey(server.folder, 'other', 'ed25519')
  writeFileSync(server.knownHostsFile, `# note\n[127.0.0.1]:${server.port} ${readFileSync(`${other}.pub`, 'utf8')}`)
  await t.rejects(clientFor(server).launch('true'), {
    code: 'ERR_HOST_KEY_CHANGED',
    facts: { file: server.knownHostsFile, line: 2 },
  })
})

t.test('a revoked host key is refused', async t => {
  const server = await startOpenSshServer(t)
  appendFileSync(server.knownHostsFile, `@revoked * ${server.hostKey()}\n`)
  await t.rejects(clientFor(server).launch('true'), { code: 'ERR_HOST_KEY_CHANGED', message: /revoked/ })
})

t.test('of several host keys the known one is asked for, also when its name is hashed', async t => {
  const server = await startOpenSshServer(t, { hostKeys: ['ed25519', 'ecdsa', 'rsa'] })
  for (const type of ['ecdsa', 'rsa']) {
    writeFileSync(server.knownHostsFile, `[127.0.0.1]:${server.port} ${server.hostKey(type)}\n`)
    execFileSync('ssh-keygen', ['-q', '-H', '-f', server.knownHostsFile], { stdio: 'ignore' })
    const { exitCode } = await outputOf(await clientFor(server).launch('true'))
    t.equal(exitCode, 0, type)
  }
})

t.test('a refused key is ERR_SSH_AUTHENTICATION and names what was tried', async t => {
  const server = await startOpenSshServer(t)
  const stranger = makeKey(server.folder, 'stranger', 'ed25519')
  await t.rejects(clientFor(server, { identityFiles: [stranger] }).launch('true'), {
    code: 'ERR_SSH_AUTHENTICATION',
    facts: { tried: [stranger], accepts: ['publickey'] },
  })
})

t.test('without any key it is ERR_SSH_AUTHENTICATION and says where was looked', async t => {
  const server = await startOpenSshServer(t)
  const client = new SshClient(parseAddress(server.address), {
    home: server.folder,
    configFile: join(server.folder, 'no_config'),
    knownHostsFiles: [server.knownHostsFile],
  })
  await t.rejects(client.launch('true'), {
    code: 'ERR_SSH_AUTHENTICATION',
    facts: { tried: [], passedOver: ['agent: none is configured'] },
  })
})

t.test('identity files that cannot be used are ERR_SSH_IDENTITY with the reason', async t => {
  const server = await startOpenSshServer(t)
  const encrypted = makeKey(server.folder, 'encrypted', 'ed25519', 'a passphrase')
  const garbage = join(server.folder, 'garbage')
  writeFileSync(garbage, 'no key at all')
  const cases = [
    [encrypted, 'it is encrypted; load it into an agent'],
    [garbage, 'it is not a private key'],
    [join(server.folder, 'missing'), 'there is no such file'],
    [`${server.identityFile}.pub`, 'it holds only a public key'],
  ] as const
  for (const [file, reason] of cases) {
    await t.rejects(clientFor(server, { identityFiles: [file] }).launch('true'), {
      code: 'ERR_SSH_IDENTITY',
      facts: { file, reason },
    })
  }
})

t.test('keys of an agent are used, after others were refused', async t => {
  const server = await startOpenSshServer(t)
  const stranger = makeKey(server.folder, 'stranger', 'ed25519')
  const agentSocket = await agent(t, stranger, server.identityFile)
  const { identityFiles: _, ...options } = { identityFiles: [] }
  const client = new SshClient(parseAddress(server.address), {
    ...options,
    home: server.folder,
    configFile: join(server.folder, 'no_config'),
    knownHostsFiles: [server.knownHostsFile],
    agentSocket,
  })
  t.equal((await outputOf(await client.launch('true'))).exitCode, 0)
})

t.test('with IdentitiesOnly the agent signs for the named key alone, though its file is encrypted', async t => {
  const server = await startOpenSshServer(t)
  const encrypted = makeKey(server.folder, 'encrypted', 'ed25519')
  appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${encrypted}.pub`))
  const agentSocket = await agent(t, encrypted)
  execFileSync('ssh-keygen', ['-q', '-p', '-N', 'a passphrase', '-f', encrypted], { stdio: 'ignore' })
  const process = await clientFor(server, { agentSocket, identityFiles: [encrypted] }).launch('true')
  t.equal((await outputOf(process)).exitCode, 0)
  const stranger = makeKey(server.folder, 'stranger', 'ed25519')
  await t.rejects(clientFor(server, { agentSocket, identityFiles: [stranger] }).launch('true'), {
    code: 'ERR_SSH_AUTHENTICATION',
    facts: { tried: [stranger] },
  })
})

t.test('the ssh configuration leads to the host, through jumps', async t => {
  const gate = await startOpenSshServer(t)
  const server = await startOpenSshServer(t)
  appendFileSync(server.knownHostsFile, `[127.0.0.1]:${gate.port} ${gate.hostKey()}\n`)
  appendFileSync(join(gate.folder, 'authorized_keys'), readFileSync(`${server.identityFile}.pub`))
  const configFile = join(server.folder, 'config')
  writeFileSync(
    configFile,
    [
      `Host node2\n HostName 127.0.0.1\n Port ${server.port}\n ProxyJump gate`,
      `Host gate\n HostName 127.0.0.1\n Port ${gate.port}`,
      `Host *\n IdentityFile ${server.identityFile}\n UserKnownHostsFile ${server.knownHostsFile}\n`,
    ].join('\n'),
  )
  const client = new SshClient(parseAddress('node2'), { home: server.folder, configFile })
  const process = await client.launch('echo $SSH_CONNECTION')
  const { stdout } = await outputOf(process)
  t.match(stdout, new RegExp(`127.0.0.1 ${server.port}\n`))
  t.equal(process.peerAddress, undefined, 'behind a jump the address of the target is not known')
})

t.test('an abort ends the attempt', async t => {
  const server = await startOpenSshServer(t)
  const controller = new AbortController()
  const attempt = clientFor(server).launch('true', { signal: controller.signal })
  controller.abort()
  await t.rejects(attempt, { code: 'ERR_ABORTED' })
  await t.rejects(clientFor(server).launch('true', { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
})

t.test('an open connection that was let go does not keep the program', async t => {
  const server = await startOpenSshServer(t)
  const program = `
    import { SshClient, parseAddress } from ${JSON.stringify(new URL('../../initiator/index.js', import.meta.url).href)}
    const client = new SshClient(parseAddress(${JSON.stringify(server.address)}), ${JSON.stringify({
      home: server.folder,
      configFile: '/nowhere',
      knownHostsFiles: [server.knownHostsFile],
      identityFiles: [server.identityFile],
    })})
    const remote = await client.launch('cat')
    remote.unref()
    console.log('open')`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  t.equal(out, 'open\n')
})
