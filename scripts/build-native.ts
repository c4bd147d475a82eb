import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Builds the addon against the headers that came with this Node, where there are any, so that no download is needed; else
 * node-gyp fetches them. Arguments are passed on to node-gyp (for instance -- -Dsanitize=address).
 */
const prefix = dirname(dirname(process.execPath))
const nodedir = existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
const result = spawnSync('node-gyp', ['rebuild', '--jobs=max', ...nodedir, ...process.argv.slice(2)], {
  stdio: 'inherit',
  // Without it a failure is as silent as the npm that calls us.
  env: { ...process.env, npm_config_loglevel: 'error' },
})
if (result.error) console.error(`node-gyp cannot be started: ${result.error.message} (run this through npm)`)
else if (result.status !== 0 && nodedir.length === 0)
  console.error(`There are no headers in ${prefix}/include/node: node-gyp has to fetch them from nodejs.org.`)
process.exitCode = result.status ?? 1
