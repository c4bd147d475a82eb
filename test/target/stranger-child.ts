import { MiB } from '../../core/index.js'
import { NativeMemory, nativeFabric } from '../../fabric-native/index.js'
import { hasCode } from '../../index.js'

/** Knocks at a data port of the PMDK dialect as a further lane, and prints what comes of it. Arguments: port, rkey, raddr. */
const [port, rkey = '0', raddr = '0'] = process.argv.slice(2)
const size = 8 * MiB
const attempt = nativeFabric.connect({
  provider: 'sockets',
  dialect: 'pmdk',
  method: 'GPSPM',
  address: '127.0.0.1',
  port: Number(port),
  rkey: BigInt(rkey),
  raddr: BigInt(raddr),
  lanes: 1,
  memory: NativeMemory.anonymous(size),
  size,
  inlineSize: 8192,
  connectTimeoutMs: 5000,
})
const outcome = await attempt.then(
  () => 'connected',
  (error: unknown) => (hasCode(error, 'ERR_IN_BAND_REFUSED', 'ERR_PORT_UNREACHABLE') ? error.code : String(error)),
)
process.stdout.write(outcome, () => process.exit(0))
