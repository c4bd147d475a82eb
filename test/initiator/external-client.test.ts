import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { externalArguments } from '../../initiator/external-client.js'
import { ExternalClient, parseAddress, RemotePool, type RemoteProcess, readEnvironment } from '../../initiator/index.js'
import { startOpenSshServer } from '../fixture/open-ssh-server.js'
import { temporaryFolder } from '../fixture/temporary-folder.js'

function program(t: Test, body: string): string {
  const file = join(temporaryFolder(t), 'ssh-wrapper')
  writeFileSync(file, `#!/bin/bash\n${body}\n`)
  chmodSync(file, 0o755)
  return file
}

async function textOf(process: RemoteProcess): Promise<string> {
  let text = ''
  process.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  process.stderr.resume()
  await process.ended
  return text
}

t.test('the argument vector is that of librpmem', async t => {
  t.same(externalArguments(parseAddress('me@node2:7'), 'rpmemd negotiate', 4), [
    '-p',
    '7',
    '-T',
    '-4',
    '-oBatchMode=yes',
    'me@node2',
    'rpmemd negotiate',
  ])
  t.same(externalArguments(parseAddress('::1'), 'x'), ['-T', '-oBatchMode=yes', '::1', 'x'])
})

t.test('arguments reach the program untouched by any shell', async t => {
  const client = new ExternalClient(program(t, String.raw`printf '%s\n' "$@"`), parseAddress('node2'))
  t.equal(
    await textOf(await client.launch('echo $HOME \'x\' "y"')),
    '-T\n-oBatchMode=yes\nnode2\necho $HOME \'x\' "y"\n',
  )
})

t.test('the program inherits nothing of an earlier one', async t => {
  const script = program(t, 'cat >/dev/null; cd /proc/self/fd; echo *')
  const client = new ExternalClient(script, parseAddress('node2'))
  const first = await client.launch('x')
  const output = textOf(first)
  const second = await client.launch('x')
  second.stdin.end()
  const descriptors = await textOf(second)
  first.stdin.end()
  t.equal(descriptors, await output)
})

t.test('a program that does not exist is ERR_SSH_CLIENT', async t => {
  const client = new ExternalClient('/nowhere/ssh', parseAddress('node2'))
  await t.rejects(client.launch('x'), { code: 'ERR_SSH_CLIENT', facts: { program: '/nowhere/ssh' } })
})

t.test('kill ends the program', async t => {
  const client = new ExternalClient(program(t, 'echo up; exec sleep 1000'), parseAddress('node2'))
  const process = await client.launch('x')
  await once(process.stdout, 'data')
  process.kill()
  t.match(await process.ended, { signal: 'SIGKILL' })
})

t.test('the real ssh works as external client', async t => {
  const server = await startOpenSshServer(t)
  const wrapper = program(
    t,
    `exec ssh -F none -o UserKnownHostsFile=${server.knownHostsFile} -o IdentitiesOnly=yes -i ${server.identityFile} "$@"`,
  )
  const client = new ExternalClient(wrapper, parseAddress(server.address))
  const process = await client.launch('cat; exit 3')
  process.stdin.end('through')
  t.equal(await textOf(process), 'through')
  t.match(await process.ended, { exitCode: 3 })
})

t.test('what the external client says when it fails stands in the error', async t => {
  const server = await startOpenSshServer(t)
  const wrapper = program(t, `exec ssh -F none -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "$@"`)
  const environment = readEnvironment({ RPMEM_SSH: wrapper })
  await t.rejects(RemotePool.remove(server.address, 'a.set', { environment }), {
    code: 'ERR_SSH_CLIENT',
    message: /Host key verification failed|host key is known/i,
    facts: { exitCode: 255 },
  })
})
