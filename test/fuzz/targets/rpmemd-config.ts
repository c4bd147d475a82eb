import { ok } from 'node:assert/strict'
import { parseConfig } from '../../../target/config-file.js'
import { settingNames } from '../../../target/settings.js'
import { type FuzzTarget, utf8 } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim: 'A configuration of rpmemd is settings, and mistakes that have a place',
  seeds: [
    '# rpmemd\nlog-file = /var/log/rpmemd.log\npoolset-dir=/pools # here\n',
    'persist-apm = yes\npersist-general = no\r\nuse-syslog=no\nlog-level = info\n',
    'log-level = loud\nuse-syslog\n = x\nremove = a\nlog-file =\n',
  ].map(utf8),
  words: [...settingNames, 'yes', 'no', '\n', ' = ', '#', '=', 'err', 'debug'],
  smokeRuns: 200_000,
  run(input) {
    const text = Buffer.from(input).toString('utf8')
    const { patch, mistakes } = parseConfig(text, 'rpmemd.conf')
    const lines = text.split('\n')
    for (const { line, column, source } of mistakes) {
      ok(line >= 1 && line <= lines.length, 'a mistake stands in a line of the file')
      ok(column >= 1 && column <= source.length + 1, 'and in that line')
    }
    for (const value of Object.values(patch)) {
      ok(typeof value === 'boolean' || (value !== '' && !value.includes('\n')), 'a setting is a flag or one line')
    }
  },
}
