import { ok } from 'node:assert/strict'
import { hasCode } from '../../../core/index.js'
import { parseDirective } from '../../../initiator/ssh-config-file.js'
import { type FuzzTarget, utf8 } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim: 'A line of an ssh configuration is a directive with words, nothing, or ERR_SSH_CONFIG',
  seeds: [
    'Host node2 !node3 *.example',
    'HostName="a b" # c',
    ' IdentityFile = ~/.ssh/id',
    'User "open',
    '# none',
    'Port',
  ].map(utf8),
  words: ['Host ', 'Match ', 'HostName', '"', "'", '\\', '=', '#', ' ', '\t'],
  maxSize: 256,
  smokeRuns: 200_000,
  run(input) {
    try {
      const directive = parseDirective(Buffer.from(input).toString('utf8'), 'config', 1)
      ok(directive === undefined || (directive.words.length > 0 && directive.keyword !== ''))
    } catch (error) {
      if (!hasCode(error, 'ERR_SSH_CONFIG')) throw error
    }
  },
}
