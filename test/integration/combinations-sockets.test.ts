import t from 'tap'
import { paths } from './combination.js'
import { cross } from './every-combination.js'

t.setTimeout(300_000)
for (const path of paths.filter(({ provider, dialect }) => provider === 'sockets' && dialect === 'rpmem')) cross(path)
