/** The layer of librpmem(7): one remote replica of any memory. Arguments: a target and the name of a pool set there. */
import { NativeMemory, RemotePool, zeroAttributes } from 'rpmem'

const [node = 'user@node2', set = 'remote.set'] = process.argv.slice(2)
const headerPage = 4096
const memory = NativeMemory.anonymous(8 * 1024 * 1024)
const attributes = { ...zeroAttributes(), signature: new TextEncoder().encode('EXAMPLE\0') }

const remote = await RemotePool.create(node, set, memory, { lanes: 2, attributes })
const { provider, persistMethod, why } = remote.transport
console.log(`${remote.laneCount} lanes over ${provider}, ${persistMethod}`)
for (const { provider: candidate, reason } of why) console.log(`  ${candidate}: ${reason}`)

memory.view(headerPage, 5).set(new TextEncoder().encode('hello'))
remote.persistSync(headerPage, 5, { lane: 0 })
remote.flush(headerPage, 5, { lane: 1 })
await remote.drain({ lane: 1 })

const answer = new Uint8Array(5)
await remote.read(headerPage, answer)
console.log(`the target has: ${new TextDecoder().decode(answer)}`)

await remote.close()
memory.close()
await RemotePool.remove(node, set)
