import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool, type RemotePoolOptions } from '../../initiator/index.js'
import { say } from '../fixture/say.js'

/**
 * Persists one record after another on a target and tells each confirmed number on standard output, until it is killed or
 * the target is lost: then it says so and ends with exit code 0.
 */
const [address = '', set = '', text = '{}'] = process.argv.slice(2)
const options = JSON.parse(text) as RemotePoolOptions
const memory = NativeMemory.anonymous(8 * 1024 * 1024)
const pool = await RemotePool.open(address, set, memory, options)

try {
  for (let number = 1; ; number++) {
    const offset = 4096 + (number % 1000) * 64
    const view = memory.view(offset, 8)
    new DataView(view.buffer, view.byteOffset, 8).setBigUint64(0, BigInt(number))
    if (number % 2 === 0) pool.persistSync(offset, 64)
    else await pool.persist(offset, 64)
    say(number)
  }
} catch (error) {
  say(`lost ${error instanceof Error && 'code' in error ? error.code : error}`)
}
await pool.close()
