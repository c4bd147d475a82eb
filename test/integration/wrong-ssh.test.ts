import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort, makeKey } from '../fixture/open-ssh-server.js'
import { TargetHost } from './target-host.js'
import { proveWrongInput, Scene, type WrongInput } from './wrong-input.js'

const wire = new URL('../../wire/index.js', import.meta.url).href

/** A program of the host in JavaScript. */
function program({ host }: Scene, name: string, ...lines: readonly string[]): string {
  const path = join(host.folder, `${name}.mjs`)
  writeFileSync(path, lines.join('\n'))
  return host.program(name, `'${process.execPath}' '${path}'`)
}

const ssh = ({ remote }: Scene) => remote.ssh ?? {}

const rows: readonly WrongInput[] = [
  {
    name: 'a host that does not exist',
    code: 'ERR_HOST_UNKNOWN',
    facts: { target: /no-such-host\.invalid/ },
    attempt: scene => scene.create({}, 'REPLICA me@no-such-host.invalid x.set'),
  },
  {
    name: 'a port on which nothing listens',
    code: 'ERR_SSH_REFUSED',
    facts: { system: 'ECONNREFUSED' },
    attempt: async scene => scene.create({}, `REPLICA me@127.0.0.1:${await freePort()} x.set`),
  },
  {
    name: 'an unknown host key',
    code: 'ERR_HOST_KEY_UNKNOWN',
    facts: { fingerprint: /^SHA256:/ },
    hint: /ssh-keyscan/,
    attempt: scene => scene.create({ ssh: { ...ssh(scene), knownHostsFiles: ['/nowhere/known_hosts'] } }),
  },
  {
    name: 'a changed host key',
    code: 'ERR_HOST_KEY_CHANGED',
    facts: { line: 1 },
    attempt: scene => {
      const key = readFileSync(`${makeKey(scene.host.folder, 'changed', 'ed25519')}.pub`, 'utf8')
      const file = join(scene.host.folder, 'changed_hosts')
      writeFileSync(file, `[127.0.0.1]:${scene.host.server.port} ${key}`)
      return scene.create({ ssh: { ...ssh(scene), knownHostsFiles: [file] } })
    },
  },
  {
    name: 'a key that the target does not accept',
    code: 'ERR_SSH_AUTHENTICATION',
    facts: { accepts: ['publickey'] },
    attempt: scene => {
      const stranger = makeKey(scene.host.folder, 'stranger', 'ed25519')
      return scene.create({ ssh: { ...ssh(scene), identityFiles: [stranger] } })
    },
  },
  {
    name: 'a target without rpmemd',
    code: 'ERR_RPMEMD_MISSING',
    facts: { exitCode: 127, command: 'rpmemd-of-nobody', stderr: /rpmemd-of-nobody/ },
    hint: /RPMEM_CMD/,
    attempt: scene => scene.create({ command: 'rpmemd-of-nobody' }),
  },
  {
    name: 'a login shell that talks',
    code: 'ERR_REMOTE_NOISE',
    facts: { text: /Welcome to node2, last login/ },
    attempt: scene => {
      const chatty = scene.host.script('chatty', ['echo Welcome to node2, last login yesterday'])
      return scene.create({ command: chatty })
    },
  },
  {
    name: 'an rpmemd that complains and ends',
    code: 'ERR_RPMEMD_EXITED',
    facts: { exitCode: 255, stderr: /unknown option --from-the-future/ },
    attempt: scene => scene.create({ command: scene.host.script('future', [], ['--from-the-future']) }),
  },
  {
    name: 'an rpmemd whose configuration is wrong',
    code: 'ERR_CONFIG',
    facts: { poolSetDir: 'relative/dir' },
    attempt: scene => scene.create({ command: scene.host.script('relative', [], ['--poolset-dir=relative/dir']) }),
  },
  {
    name: 'an rpmemd of another version',
    code: 'ERR_VERSION',
    facts: { theirs: [90, 95] },
    attempt: scene => {
      const command = program(
        scene,
        'newer',
        `import { encodeControl, encodeFirstWord } from ${JSON.stringify(wire)}`,
        `process.stdout.write(encodeFirstWord('rpmem'))`,
        `const hello = { type: 'hello', versions: { min: 90, max: 95 }, software: 'rpmem 90.0.0', capabilities: [], offers: [] }`,
        'process.stdout.write(encodeControl(hello))',
        'process.stdin.resume()',
      )
      return scene.create({ command })
    },
  },
  {
    name: 'an rpmemd that dies in the middle of its greeting',
    code: 'ERR_CONTROL_LOST',
    attempt: scene => {
      const command = program(
        scene,
        'halfway',
        `import { encodeFirstWord } from ${JSON.stringify(wire)}`,
        `process.stdout.write(Buffer.concat([encodeFirstWord('rpmem'), Buffer.from('0000', 'hex')]))`,
      )
      return scene.create({ command })
    },
  },
]

t.before(async () => {
  const host = await TargetHost.start(t)
  t.test('with nothing wrong the pool is created', async t => {
    const pool = await new Scene(host, 'right').create()
    t.equal(pool.replicas.length, 2)
    await pool.close()
  })
  proveWrongInput(t, host, rows)
})
