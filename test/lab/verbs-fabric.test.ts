import t from 'tap'
import { fabricCompliance } from '../fabric-native/compliance.js'
import { nativeBed } from '../fabric-native/native-bed.js'
import { rdmaAddress } from './rdma-address.js'

const address = rdmaAddress() ?? ''
const combinations = [
  ['rpmem', 'GPSPM'],
  ['rpmem', 'APM'],
  ['pmdk', 'GPSPM'],
  ['pmdk', 'APM'],
] as const

for (const [dialect, method] of combinations) fabricCompliance(t, { ...nativeBed('verbs', dialect, method), address })
