import type { Dialect, PersistMethod, ProviderName } from '../../fabric-native/fabric.js'
import { attachLanes, nativeFabric } from '../../fabric-native/native-fabric.js'
import { NativeMemory } from '../../fabric-native/native-memory.js'
import type { FabricBed } from './compliance.js'

/** The native fabric over memory without a file. */
export const nativeBed = (provider: ProviderName, dialect: Dialect, method: PersistMethod): FabricBed => ({
  name: `${provider} ${dialect} ${method}`,
  fabric: nativeFabric,
  ...{ provider, dialect, method },
  maxLanes: 16,
  memory: size => NativeMemory.anonymous(size),
  attach: attachLanes,
})
