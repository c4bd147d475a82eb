import t from 'tap'
import { Pool } from '../../pool/index.js'
import { pmempoolInfo } from '../fixture/pmempool-info.js'
import { scratch, writeSet } from './scratch.js'

const letters = [...'abcdefghijklmnopqrst']

const shapes: [name: string, lines: (at: string) => string[], parts: string[], features: RegExp][] = [
  ['one part', at => [`8M ${at}/a`], ['a'], /0x2 \[CKSUM_2K\]/],
  ['two parts', at => [`8M ${at}/a`, `3M ${at}/b`], ['a', 'b'], /0x2 \[CKSUM_2K\]/],
  ['five parts', at => [...'abcde'].map(name => `3M ${at}/${name}`), [...'abcde'], /0x2 /],
  ['twenty parts', at => letters.map(name => `2M ${at}/${name}`), letters, /0x2 /],
  ['SINGLEHDR', at => ['OPTION SINGLEHDR', `8M ${at}/a`, `3M ${at}/b`], ['a'], /SINGLEHDR/],
  [
    'SINGLEHDR and replicas',
    at => ['OPTION SINGLEHDR', `8M ${at}/a`, 'REPLICA', `5M ${at}/b`, `5M ${at}/c`],
    ['a', 'b'],
    /SINGLE/,
  ],
  ['local replicas', at => [`8M ${at}/a`, `3M ${at}/b`, 'REPLICA', `10M ${at}/c`], ['a', 'b', 'c'], /0x2 /],
]

for (const [name, lines, parts, features] of shapes) {
  t.test(`pmempool finds the headers right: ${name}`, async t => {
    const directory = scratch(t)
    const set = writeSet(directory, 'x.set', ...lines(directory))
    await (await Pool.create(set, { signature: 'COUNTER', major: 3 })).close()
    for (const path of [...parts.map(part => `${directory}/${part}`), set]) {
      const fields = pmempoolInfo(path)
      t.match(fields.get('Checksum'), /\[OK\]$/)
      t.match(fields.get('Alignment Descriptor'), /\[OK\]$/)
      t.match(fields.get('Mandatory features'), features)
      t.equal(fields.get('Signature'), 'COUNTER')
      t.equal(fields.get('Major'), '3')
      t.equal(fields.get('Last shutdown'), 'clean')
    }
  })
}
