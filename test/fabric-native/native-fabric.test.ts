import t from 'tap'
import { nativeFabric } from '../../fabric-native/native-fabric.js'
import { NativeMemory } from '../../fabric-native/native-memory.js'
import { type FabricBed, fabricCompliance } from './compliance.js'

const tcp: FabricBed = {
  name: 'tcp',
  fabric: nativeFabric,
  provider: 'tcp',
  dialect: 'rpmem',
  method: 'GPSPM',
  maxLanes: 16,
  memory: size => NativeMemory.anonymous(size),
}

fabricCompliance(t, tcp)
