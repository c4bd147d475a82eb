import t from 'tap'
import { hasCode, type PoolAttributes, RpmemError } from '../../core/index.js'
import {
  checkPoolSetName,
  decodePmdkRequest,
  decodePmdkResponse,
  encodePmdkRequest,
  encodePmdkResponse,
  type PmdkOpen,
  type PmdkRefusal,
  pmdkStatusOf,
  pmdkStatusValue,
  poolSetNameRule,
  poolSetPathRule,
  refusalError,
  refusalFor,
} from '../../wire/index.js'
import { bytesOf, session } from '../fixture/vectors.js'

const create = () => session('01-create-attr.txt').bursts[1]?.bytes.slice() ?? new Uint8Array()
const opened = () => session('02-open-attr.txt').bursts[2]?.bytes.slice() ?? new Uint8Array()
const created = () => session('01-create-attr.txt').bursts[2]?.bytes.slice() ?? new Uint8Array()

function changed(source: Uint8Array, at: number, ...values: number[]): Uint8Array {
  source.set(values, at)
  return source
}

t.test('a request that breaks a rule is ERR_PROTOCOL and names the rule', async t => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['type 0', changed(create(), 3, 0), /type is unknown/],
    ['an answer instead of a request', changed(create(), 3, 2), /type is unknown/],
    ['major 1', changed(create(), 13, 1), /version/],
    ['minor 0', changed(create(), 15, 0), /version/],
    ['provider 0', changed(create(), 31, 0), /provider/],
    ['name length one too many', changed(create(), 147, 12), /ends with the pool set name/],
    ['name length one too few', changed(create(), 147, 10), /ends with the pool set name/],
    ['name length without limit', changed(create(), 144, 0xff, 0xff, 0xff, 0xff), /ends with the pool set name/],
    ['NUL inside the name', changed(create(), 150, 0), /no NUL but its last/],
    ['name without NUL', changed(create(), 158, 0x58), /ends with a NUL/],
    ['name that is not UTF-8', changed(create(), 150, 0xff), /UTF-8/],
    ['pool size beyond 2^53', changed(create(), 16, 0x7f), /too large/],
    ['size of the header not that of the message', changed(create(), 11, 0xa0), /that of the message/],
    ['size of the header below the least', changed(create(), 11, 149), /lies between/],
    ['close of another size', bytesOf('0000000500000000000000110000000000'), /size of close is 16/],
    ['a cut header', create().subarray(0, 11), /only 11/],
    ['nothing', new Uint8Array(), /only 0/],
  ]
  for (const [name, bytes, message] of cases) {
    t.throws(() => decodePmdkRequest(bytes), { code: 'ERR_PROTOCOL', message }, name)
  }
})

t.test('close ignores flags that it does not know, and set_attr reads zeros as no attributes', async t => {
  t.strictSame(decodePmdkRequest(bytesOf('000000050000000000000010feffffff')), { type: 'close', remove: false })
  t.strictSame(decodePmdkRequest(bytesOf('000000050000000000000010ffffffff')), { type: 'close', remove: true })
  t.strictSame(decodePmdkRequest(bytesOf(`000000070000000000000074${'00'.repeat(104)}`)), {
    type: 'setAttributes',
    attributes: undefined,
  })
})

t.test('an answer that breaks a rule is ERR_PROTOCOL and names the rule', async t => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['another type', changed(created(), 7, 4), /type is that of the answer expected/],
    ['another size', changed(created(), 15, 45), /size of an answer to create is 44/],
    ['a cut message', created().subarray(0, 43), /that of the message/],
    ['status 14', changed(created(), 3, 14), /status is less than 14/],
    ['port 0', changed(created(), 16, 0, 0, 0, 0), /port/],
    ['port 65536', changed(created(), 16, 0, 1, 0, 0), /port/],
    ['persist method 0', changed(created(), 23, 0), /persist method/],
    ['persist method 3', changed(created(), 23, 3), /persist method/],
  ]
  for (const [name, bytes, message] of cases) {
    t.throws(() => decodePmdkResponse(bytes, 'create'), { code: 'ERR_PROTOCOL', message }, name)
  }
})

t.test('a refusal is read before port and method, which are zero in it', async t => {
  t.strictSame(decodePmdkResponse(changed(created(), 3, 9), 'create'), { type: 'create', status: 'EXISTS' })
  const refused = encodePmdkResponse({ type: 'open', status: 'BADSIZE' })
  t.equal(refused.length, 148, 'of full length')
  t.ok(refused.subarray(16).every(byte => byte === 0))
})

t.test('lanes granted may be zero, and rkey and raddr anything', async t => {
  const bytes = changed(opened(), 24, ...new Array<number>(20).fill(0xff))
  t.match(decodePmdkResponse(bytes, 'open'), {
    inBand: { rkey: 2n ** 64n - 1n, raddr: 2n ** 64n - 1n, lanes: 0xffffffff },
  })
  t.match(decodePmdkResponse(changed(opened(), 40, 0, 0, 0, 0), 'open'), { inBand: { lanes: 0 } })
})

t.test('numbers beyond the sign bit survive', async t => {
  const attributes: PoolAttributes = {
    signature: new Uint8Array(8).fill(0xff),
    major: 0xffffffff,
    compat: 0x80000000,
    incompat: 0xfffffffe,
    roCompat: 0x80000001,
    poolsetUuid: new Uint8Array(16),
    uuid: new Uint8Array(16),
    nextUuid: new Uint8Array(16),
    prevUuid: new Uint8Array(16),
    userFlags: new Uint8Array(16),
  }
  const bytes = encodePmdkRequest({ type: 'setAttributes', attributes })
  t.strictSame(decodePmdkRequest(bytes), { type: 'setAttributes', attributes })
})

t.test('every status has the value and the errno of PMDK', async t => {
  const table: [PmdkRefusal, number, number][] = [
    ['BADPROTO', 1, 93],
    ['BADNAME', 2, 22],
    ['BADSIZE', 3, 27],
    ['BADNLANES', 4, 22],
    ['BADPROVIDER', 5, 22],
    ['FATAL', 6, 121],
    ['FATAL_CONN', 7, 103],
    ['BUSY', 8, 16],
    ['EXISTS', 9, 17],
    ['PROVNOSUP', 10, 124],
    ['NOEXIST', 11, 2],
    ['NOACCESS', 12, 13],
    ['POOL_CFG', 13, 22],
  ]
  for (const [status, value, errno] of table) {
    t.equal(pmdkStatusValue(status), value)
    t.equal(pmdkStatusOf(value), status)
    t.match(refusalError(status, 'create the pool'), { errno, facts: { status, value } }, status)
  }
  t.equal(pmdkStatusOf(0), 'SUCCESS')
  t.equal(pmdkStatusOf(14), undefined)
  t.equal(pmdkStatusOf(2 ** 32 - 1), undefined)
})

t.test('what a target cannot do is answered by the status that PMDK has for it', async t => {
  const answers = {
    ERR_POOLSET_OUTSIDE: 'BADNAME',
    ERR_POOL_SIZE: 'BADSIZE',
    ERR_NO_PROVIDER: 'BADPROVIDER',
    ERR_LIBFABRIC_MISSING: 'BADPROVIDER',
    ERR_PORT_UNREACHABLE: 'FATAL_CONN',
    ERR_POOL_BUSY: 'BUSY',
    ERR_PART_EXISTS: 'EXISTS',
    ERR_PART_MISSING: 'NOEXIST',
    ERR_POOLSET_MISSING: 'NOEXIST',
    ERR_PART_ACCESS: 'NOACCESS',
    ERR_POOLSET_UNREADABLE: 'NOACCESS',
    ERR_POOLSET_SYNTAX: 'POOL_CFG',
    ERR_POOLSET_UNSUITABLE: 'POOL_CFG',
    ERR_PART_SIZE: 'POOL_CFG',
    ERR_ATTRIBUTES: 'POOL_CFG',
    ERR_HEADER_INVALID: 'POOL_CFG',
    ERR_DISK_FULL: 'FATAL',
    ERR_FABRIC: 'FATAL',
  } as const
  for (const [code, status] of Object.entries(answers)) {
    t.equal(refusalFor(new RpmemError(code as keyof typeof answers, 'x')), status, code)
  }
  t.equal(refusalFor(new Error('a bug')), 'FATAL')
})

t.test('a pool set name that cannot travel is refused before anything is sent', async t => {
  const open = (poolSet: string): PmdkOpen => ({
    type: 'open',
    poolSize: 8192,
    lanes: 1,
    provider: 'sockets',
    bufferSize: 8192,
    poolSet,
  })
  for (const name of ['', 'a\0b', 'a'.repeat(4096), '\ud800']) {
    t.type(poolSetNameRule(name), 'string')
    t.throws(() => checkPoolSetName(name), { code: 'ERR_ARGUMENT' })
    t.throws(() => encodePmdkRequest(open(name)), { code: 'ERR_ARGUMENT' })
  }
  for (const name of ['a', 'a'.repeat(4095), 'ä/€/\u{1f600}', ' ', '\ufeffx']) {
    t.equal(poolSetNameRule(name), undefined)
    t.match(decodePmdkRequest(encodePmdkRequest(open(name))), { poolSet: name })
  }
})

t.test('a path that leaves the poolset-dir is refused, one that only looks like it is not', async t => {
  for (const name of ['/a', '..', '../a', 'a/..', 'a/../b']) t.type(poolSetPathRule(name), 'string', name)
  for (const name of ['a', 'a/b.set', '..a', 'a..', '.../a', './a']) t.equal(poolSetPathRule(name), undefined, name)
})

t.test('a violation of the layout keeps its cause', async t => {
  try {
    decodePmdkRequest(changed(create(), 16, 0x7f))
    t.fail('accepted')
  } catch (error) {
    t.ok(hasCode(error, 'ERR_PROTOCOL') && hasCode(error.cause, 'ERR_LAYOUT_RANGE'))
  }
})
