import { benchCheckpoint } from './checkpoint.js'
import { benchHeap } from './heap.js'
import { readOptions, usage } from './options.js'
import { benchPersist } from './persist.js'
import { checkpointReach, checkReach, heapReach, persistReach, replicationReach } from './reach.js'
import { benchReplication } from './replication.js'
import { Report } from './row.js'

const benches = {
  checkpoint: { run: benchCheckpoint, reach: checkpointReach },
  heap: { run: benchHeap, reach: heapReach },
  persist: { run: benchPersist, reach: persistReach },
  replication: { run: benchReplication, reach: replicationReach },
} as const

const asked = readOptions(process.argv.slice(2))
const bench = asked && Object.hasOwn(benches, asked.name) ? benches[asked.name as keyof typeof benches] : undefined
if (asked && bench) {
  const report = new Report(asked.options.json)
  await bench.run(report, asked.options)
  if (asked.options.check) process.exitCode = checkReach(bench.reach, report.rows) ? 0 : 1
} else {
  console.error(usage)
  process.exitCode = 2
}
