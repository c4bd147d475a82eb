import { execFile } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const setup = fileURLToPath(new URL('../../../scripts/setup', import.meta.url))
const tools = ['bash', 'env', 'dirname', 'cat', 'cut', 'find', 'grep', 'mkdir', 'sha256sum', 'sort', 'xargs']

/**
 * Runs scripts/setup in an empty tree on a machine that has the tools above, Node and `programs` (name → shell script), and
 * nothing else. npm fails, so that the run ends behind the system packages.
 */
function runSetup(t: Test, programs: Readonly<Record<string, string>>) {
  const dir = t.testdir({ scripts: {}, bin: {}, 'package-lock.json': '{}' })
  copyFileSync(setup, join(dir, 'scripts/setup'))
  mkdirSync(join(dir, 'node_modules'))
  for (const tool of tools) symlinkSync(which(tool), join(dir, 'bin', tool))
  symlinkSync(process.execPath, join(dir, 'bin/node'))
  const all = { id: 'echo 1000', npm: 'echo "npm $*" >&2; exit 1', ldconfig: 'echo', ...programs }
  for (const [name, script] of Object.entries(all)) {
    writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(dir, 'bin', name), 0o755)
  }
  return new Promise<{ code: unknown; err: string; log: string }>(resolve => {
    const env = { PATH: join(dir, 'bin'), LOG: join(dir, 'log') }
    writeFileSync(env.LOG, '')
    execFile(which('bash'), [join(dir, 'scripts/setup'), 'demo'], { env, timeout: 30_000 }, (error, _, err) =>
      resolve({ code: error?.code ?? 0, err, log: readFileSync(env.LOG, 'utf8') }),
    )
  })
}

function which(tool: string): string {
  return ['/bin', '/usr/bin', dirname(process.execPath)].map(folder => join(folder, tool)).find(isFile) ?? tool
}

const isFile = (path: string): boolean => {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}

const aptGet = 'echo "apt-get $*" >> $LOG'
const sudo = 'echo "sudo" >> $LOG; exec "$@"'

t.test('without apt it prints what to install and stops', { timeout: 40_000 }, async t => {
  const { code, err } = await runSetup(t, {})
  t.equal(code, 1)
  t.match(err, /g\+\+: compiles the native addon/)
  t.match(err, /no apt; install the equivalents[\s\S]*g\+\+ make python3 .*libfabric1/)
})

t.test('with apt but neither root nor sudo it says what root must run', { timeout: 40_000 }, async t => {
  const { code, err, log } = await runSetup(t, { 'apt-get': aptGet })
  t.equal(code, 1)
  t.match(err, /apt-get install g\+\+ make python3/)
  t.equal(log, '')
})

t.test('with sudo it installs, without questions, and updates only if that fails', { timeout: 40_000 }, async t => {
  const good = await runSetup(t, { 'apt-get': aptGet, sudo })
  t.match(good.log, /^sudo\napt-get .*install --yes .*g\+\+ make python3.*\n$/)
  const stale = `case "$*" in *update*) : > $LOG.new;; esac; ${aptGet}; [ -e $LOG.new ]`
  const { log, err } = await runSetup(t, { 'apt-get': stale, sudo })
  t.match(log, /^sudo\napt-get .*install.*\nsudo\napt-get .*update\nsudo\napt-get .*install.*\n$/)
  t.match(err, /npm ci/)
})

t.test('root needs no sudo, and a failing apt ends the set-up', { timeout: 40_000 }, async t => {
  const script = `${aptGet}; echo E: no space left; exit 100`
  const { code, err, log } = await runSetup(t, { 'apt-get': script, id: 'echo 0', sudo })
  t.equal(code, 1)
  t.match(err, /E: no space left\n.*kept in dist\/apt-update\.log/)
  t.match(err, /apt could not install/)
  t.notMatch(log, /sudo/)
})

t.test('nothing is installed where nothing is missing', { timeout: 40_000 }, async t => {
  const present = { make: '', python3: '', 'g++': '', ldconfig: 'echo libfabric.so.1', 'apt-get': aptGet }
  const { err, log } = await runSetup(t, present)
  t.equal(log, '')
  t.notMatch(err, /missing/)
})

t.test(
  'what the tools write is shown only if they fail, with the place where it is kept',
  { timeout: 40_000 },
  async t => {
    const { err } = await runSetup(t, { 'apt-get': `echo Unpacking g++; ${aptGet}`, sudo })
    t.notMatch(err, /Unpacking/)
    t.match(err, /\nnpm ci --ignore-scripts.*\n.*kept in dist\/npm\.log/)
  },
)
