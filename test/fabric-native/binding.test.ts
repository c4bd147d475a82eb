import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import type { RpmemError } from '../../core/index.js'

/** The compiled rooms without the addon, as in a package that was never built. */
function unbuilt(dir: string): string {
  for (const room of ['core', 'fabric-native'])
    cpSync(fileURLToPath(new URL(`../../${room}`, import.meta.url)), join(dir, 'dist', room), { recursive: true })
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  return join(dir, 'dist', 'fabric-native', 'binding.js')
}

async function failureOf(binding: string): Promise<RpmemError> {
  const { loadBinding } = await import(pathToFileURL(binding).href)
  try {
    loadBinding()
  } catch (error) {
    return error as RpmemError
  }
  throw new Error('it was loaded')
}

t.test('an addon that was not built is one error with one line of reason and a remedy', async t => {
  const error = await failureOf(unbuilt(t.testdir()))
  t.match(error, { code: 'ERR_NATIVE_MISSING', hint: /npm run build/, facts: { path: /fabric_native\.node$/ } })
  t.match(error.cause, { message: /fabric_native\.node.*No such file/ })
  t.notMatch((error.cause as Error).message, /\n|Require stack/)
})

t.test('what is no addon tells what the loader says', async t => {
  const dir = t.testdir()
  const binding = unbuilt(dir)
  mkdirSync(join(dir, 'build', 'Release'), { recursive: true })
  writeFileSync(join(dir, 'build', 'Release', 'fabric_native.node'), 'not a library')
  const error = await failureOf(binding)
  t.match(error, { code: 'ERR_NATIVE_MISSING', cause: { code: 'ERR_DLOPEN_FAILED' } })
  t.notMatch((error.cause as Error).message, /\n/)
})
