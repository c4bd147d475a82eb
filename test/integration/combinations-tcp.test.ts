import t from 'tap'
import { paths } from './combination.js'
import { cross } from './every-combination.js'

t.setTimeout(300_000)
for (const path of paths.filter(({ provider }) => provider === 'tcp')) cross(path)
