import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import t from 'tap'
import { fabricCompliance } from '../fabric-native/compliance.js'
import { nativeBed } from '../fabric-native/native-bed.js'
import { sameBytes } from '../fixture/same-bytes.js'
import { rdmaAddress } from './rdma-address.js'

const address = rdmaAddress() ?? ''
const combinations = [
  ['rpmem', 'GPSPM'],
  ['rpmem', 'APM'],
  ['pmdk', 'GPSPM'],
  ['pmdk', 'APM'],
] as const

for (const [dialect, method] of combinations) fabricCompliance(t, { ...nativeBed('verbs', dialect, method), address })

t.test('the code of the C library is what its file says, after all of this', async t => {
  const mapping = /^(\w+)-(\w+) r-xp (\w+) .* (\S*libc\.so\S*)$/m.exec(readFileSync('/proc/self/maps', 'utf8'))
  const [, begin = '', end = '', offset = '', path = ''] = mapping ?? []
  const at = Number.parseInt(begin, 16)
  const inMemory = Buffer.alloc(Number.parseInt(end, 16) - at)
  const memory = openSync('/proc/self/mem', 'r')
  t.teardown(() => closeSync(memory))
  t.equal(readSync(memory, inMemory, 0, inMemory.length, at), inMemory.length)
  const fileAt = Number.parseInt(offset, 16)
  sameBytes(t, inMemory, readFileSync(path).subarray(fileAt, fileAt + inMemory.length), path)
})
