import { isRpmemError } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { RemotePool } from '../../initiator/index.js'
import { attributes, patience, poolSize } from './verbs-node.js'

/** locked-memory-child ADDRESS OPTIONS: creates a pool under the limits of this process and prints how that failed. */
const [, , address = '', options = '{}'] = process.argv
try {
  const memory = NativeMemory.anonymous(poolSize)
  await RemotePool.create(address, 'a.set', memory, { ...JSON.parse(options), ...patience, attributes, lanes: 2 })
  console.log('created')
} catch (error) {
  console.log(isRpmemError(error) ? error.code : error)
}
