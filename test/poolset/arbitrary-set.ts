import fc from 'fast-check'

/** Pool sets in PMDK's text as rpmem prints it: any comments, options and replicas at any place where they may stand. */

const characters = (text: string) => fc.string({ unit: fc.constantFrom(...text), minLength: 1, maxLength: 12 })

const anyPath = fc.oneof(
  characters('abc/._-').map(name => `/${name}`),
  fc
    .string({ unit: 'grapheme-composite', minLength: 1, maxLength: 12 })
    .map(name => `/${name.replaceAll(/[\s\p{Cc}#]/gu, '_')}`),
  characters('ab:;,=[]{}\'"\\&*!|>%@`?-').map(name => `/${name}`),
)

const size = fc
  .tuple(
    fc.constantFrom('', '+', '0'),
    fc.integer({ min: 1, max: 5000 }),
    fc.constantFrom('', 'B', 'K', 'M', 'G', 'T', 'P', 'KiB', 'MiB', 'kB', 'MB', 'PB'),
  )
  .map(([sign, digits, suffix]) => `${sign}${digits}${suffix}`)

const node = fc.oneof(
  fc.constantFrom('user@node2', 'user@[::1]:22', 'null', '10', 'yes', '"quoted"', "'q'", '-', '~', '1e3', '010', '*a'),
  characters('abc@:[].;\'"\\=-'),
)
const name = fc.oneof(
  characters('abc./_').map(text => `x${text}`),
  characters('ab;:\\\'"=[]{}&*!').filter(text => !text.startsWith('/')),
)

const comment = fc.oneof(
  fc.constantFrom('', ' ', ' a comment', '# two', ' "quoted" \'', ' : [', '\ttabs\t', ' trailing  ', '!'),
  fc
    .string({ unit: 'grapheme-composite', maxLength: 20 })
    .map(text => text.replaceAll(/\p{Cc}|[\ufeff\ufffe\uffff]/gu, '_')),
)

const behind = fc.option(comment, { nil: undefined })
const withComment = (text: string, found: string | undefined) => (found === undefined ? text : `${text} #${found}`)

const part = fc.tuple(size, anyPath, behind).map(([bytes, path, found]) => withComment(`${bytes} ${path}`, found))
const option = fc
  .tuple(fc.array(fc.constantFrom('SINGLEHDR', 'NOHDRS'), { minLength: 1, maxLength: 3 }), behind)
  .map(([names, found]) => withComment(`OPTION ${names.join(' ')}`, found))
const filler = fc.array(
  fc.oneof(
    fc.constant(''),
    comment.map(text => `#${text}`),
    option,
  ),
  { maxLength: 3 },
)

const parts = fc.array(fc.tuple(part, filler), { minLength: 1, maxLength: 4 }).map(found => found.flat(2))
const local = fc
  .tuple(behind, filler, parts)
  .map(([found, lines, rest]) => [found === undefined ? 'REPLICA' : `REPLICA#${found}`, ...lines, ...rest])
const remote = fc
  .tuple(node, name, behind, filler)
  .map(([target, set, found, lines]) => [withComment(`REPLICA ${target} ${set}`, found), ...lines])

export const textSet = fc
  .tuple(filler, parts, fc.array(fc.oneof(local, remote), { maxLength: 4 }))
  .map(([head, master, replicas]) => `${['PMEMPOOLSET', ...head, ...master, ...replicas.flat()].join('\n')}\n`)
