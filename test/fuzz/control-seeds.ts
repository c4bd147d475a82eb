import { MiB, zeroAttributes } from '../../core/index.js'
import type { ControlMessage } from '../../wire/index.js'

const attributes = { ...zeroAttributes(), major: 1, incompat: 2, signature: new Uint8Array(8).fill(0x41) }
const request = { id: 1, poolSet: 'single.set', size: 8 * MiB, lanes: 2, provider: 'tcp', inlineSize: 4096 }
const offer = { fabricName: 'net', protocol: 1, protocolVersion: 1, maxLanes: 16, maxMessageSize: 65536 }

export const toTarget: readonly ControlMessage[] = [
  { type: 'accept', version: 1, capabilities: [] },
  { type: 'create', ...request, attributes },
  { type: 'open', ...request },
  { type: 'setAttributes', id: 2, attributes },
  { type: 'ping', id: 3 },
  { type: 'close', id: 4, remove: true },
]

export const ready: ControlMessage<'ready'> = {
  type: 'ready',
  id: 1,
  address: '127.0.0.1',
  port: 7000,
  method: 'GPSPM',
  durability: 'msync',
  rkey: 1n,
  raddr: 0x7f0000000000n,
  lanes: 2,
  inlineSize: 4096,
  poolSize: 8 * MiB,
  attributes,
  secret: new Uint8Array(32).fill(7),
}

export const hello: ControlMessage<'hello'> = {
  type: 'hello',
  versions: { min: 1, max: 1 },
  software: 'rpmem 1',
  capabilities: ['later'],
  offers: [
    { provider: 'tcp', offer: { provider: 'tcp', ...offer } },
    { provider: 'verbs', reason: 'there is no such device' },
  ],
}

export const failure: ControlMessage<'failure'> = {
  type: 'failure',
  id: 1,
  code: 'ERR_POOL_BUSY',
  message: 'in use',
  facts: { a: 1, b: 'x', c: [1, 'y'], d: true },
  hint: 'wait',
  errno: 16,
}

export const fromTarget: readonly ControlMessage[] = [
  hello,
  ready,
  { type: 'done', id: 2 },
  { type: 'pong', id: 3, activeLanes: 2 },
  failure,
]

export const controlMessages: readonly ControlMessage[] = [...toTarget, ...fromTarget]
