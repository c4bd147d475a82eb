import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { errno, RpmemError, systemCode } from '../core/index.js'

/** `$HOME` in a path counts at its first occurrence only, and not if a letter or a digit follows. Source: rpmemd(1). */
export function expandHome(text: string, home: string): string {
  const at = text.indexOf('$HOME')
  const follows = text[at + 5] ?? ''
  return at < 0 || /[A-Za-z0-9]/.test(follows) ? text : text.slice(0, at) + home + text.slice(at + 5)
}

/** The poolset-dir as configured → an absolute path; ERR_CONFIG if it is none. Source: rpmemd(1), option --poolset-dir. */
export function expandPoolSetDir(text: string, home: string): string {
  const path = expandHome(text, home)
  if (isAbsolute(path)) return path
  throw new RpmemError('ERR_CONFIG', `the poolset-dir '${text}' is not an absolute path`, {
    facts: { poolSetDir: text },
    hint: 'Begin it with / or with $HOME/.',
  })
}

/**
 * Finds the pool set file that the initiator named, below `dir` and nowhere else: a name that is absolute or holds `..`, and
 * a symbolic link whose end lies elsewhere, is ERR_POOLSET_OUTSIDE. PMDK's rpmemd follows both.
 */
export async function resolvePoolSet(dir: string, name: string): Promise<string> {
  checkName(name)
  const root = await realpath(dir).catch(cause => {
    throw unresolved(dir, `the poolset-dir ${dir}`, cause)
  })
  const path = await realpath(join(root, name)).catch(cause => {
    throw unresolved(name, `the pool set '${name}'`, cause)
  })
  if (!path.startsWith(root === sep ? sep : root + sep)) throw outside(name, 'it is a link that leaves the poolset-dir')
  const found = await stat(path)
  if (found.isFile()) return path
  throw new RpmemError('ERR_POOLSET_UNREADABLE', `the pool set '${name}' is not a file`, { facts: { name } })
}

function checkName(name: string): void {
  if (name === '' || name.includes('\0'))
    throw new RpmemError('ERR_ARGUMENT', 'the name of the pool set is empty or holds a NUL', { facts: { name } })
  if (isAbsolute(name)) throw outside(name, 'it is absolute')
  if (name.split('/').includes('..')) throw outside(name, 'it holds `..`')
}

const outside = (name: string, why: string): RpmemError =>
  new RpmemError('ERR_POOLSET_OUTSIDE', `the pool set '${name}' is refused: ${why}`, { facts: { name, why } })

function unresolved(name: string, what: string, cause: unknown): RpmemError {
  const facts = { name }
  switch (systemCode(cause)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return RpmemError.wrap('ERR_POOLSET_MISSING', `${what} does not exist`, cause, { facts })
    case 'ENAMETOOLONG':
      return RpmemError.wrap('ERR_ARGUMENT', `${what} has a name that is too long`, cause, { facts })
    case 'EACCES':
      return RpmemError.wrap('ERR_POOLSET_UNREADABLE', `${what} cannot be reached`, cause, { facts })
    default:
      return RpmemError.wrap('ERR_POOLSET_UNREADABLE', `${what} cannot be reached`, cause, { facts, errno: errno.EIO })
  }
}
