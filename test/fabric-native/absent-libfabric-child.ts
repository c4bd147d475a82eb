import { isRpmemError, MiB } from '../../core/index.js'
import { NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { connectOptions, listenOptions } from './compliance.js'
import { nativeBed } from './native-bed.js'

/** Says what a machine without libfabric gets. */
const bed = nativeBed('tcp', 'rpmem', 'GPSPM')
const memory = NativeMemory.anonymous(MiB)
const codeOf = (error: unknown) => (isRpmemError(error) ? error.code : String(error))
const nowhere = { port: 1, rkey: 0n, raddr: 0n, lanes: 1 } as Parameters<typeof connectOptions>[1]

const [report] = await nativeFabric.probe(['tcp'], { node: '127.0.0.1' })
const listening = await nativeFabric.listen(listenOptions(bed, memory, 1)).catch(codeOf)
const connecting = await nativeFabric.connect(connectOptions(bed, nowhere, memory)).catch(codeOf)
console.log(JSON.stringify({ report, listening, connecting }))
