import { RpmemError } from '../core/index.js'
import type { Line } from './pool-set.js'

/** Comments pass between the notations as they are, except characters that other readers of YAML or INI stumble over. */
export function checkComment(line: Line, notation: string): void {
  if (line.comment === undefined || !/[^\P{Cc}\t]|[\ufeff\ufffe\uffff]/u.test(line.comment)) return
  throw new RpmemError(
    'ERR_POOLSET_CONVERSION',
    `a comment holds control characters, which ${notation} cannot express`,
    {
      facts: { notation, value: JSON.stringify(line.comment.slice(0, 80)) },
      hint: 'Remove them from the comment; they are most likely an accident.',
    },
  )
}
