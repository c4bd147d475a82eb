import { NativeMemory, nativeFabric, type ProviderName, providerNames } from '../../fabric-native/index.js'
import { listenOptions } from './compliance.js'
import { nativeBed } from './native-bed.js'

/** A target in a process of its own: says where it listens, serves until it is told `close`, or dies. */
const [provider = 'tcp', lanes = '1', size = '0'] = process.argv.slice(2)
const memory = NativeMemory.anonymous(Number(size))
const bed = nativeBed(providerNames.find((name): name is ProviderName => name === provider) ?? 'tcp', 'rpmem', 'GPSPM')
const service = await nativeFabric.listen(listenOptions(bed, memory, Number(lanes)))

process.on('message', async () => {
  await service.close()
  process.disconnect()
})
process.send?.({ port: service.port, rkey: `${service.rkey}`, raddr: `${service.raddr}` })
