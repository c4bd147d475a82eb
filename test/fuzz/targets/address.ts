import { deepEqual, ok } from 'node:assert/strict'
import { hasCode } from '../../../core/index.js'
import { formatAddress, parseAddress } from '../../../initiator/index.js'
import { type FuzzTarget, utf8 } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim:
    'The address of a target is read as what can be written again and is safe as an argument of ssh, or is ERR_ADDRESS',
  seeds: ['user@node2:22', 'user@[::1]:22', '::1', '[fe80::1%eth0]', 'node2', 'a@b:c', '@x', 'x:', '[x'].map(utf8),
  words: ['@', ':', '[', ']', '::', '%', '-', '65536', '0'],
  maxSize: 64,
  run(input) {
    try {
      const address = parseAddress(Buffer.from(input).toString('utf8'))
      deepEqual(parseAddress(formatAddress(address)), address)
      for (const word of [address.user ?? 'x', address.host]) ok(/^[^-\s\0][^\s\0]*$/.test(word), `${word} is one word`)
    } catch (error) {
      if (!hasCode(error, 'ERR_ADDRESS')) throw error
    }
  },
}
