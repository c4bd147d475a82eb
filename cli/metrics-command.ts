import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, RpmemError } from '../core/index.js'
import { metricsText, type PoolStatus, readSetStatus, type SetStatus } from '../pool/index.js'
import { loadPoolSet } from '../poolset/index.js'
import type { Io } from './io.js'

export interface MetricsFlags {
  readonly listen?: string
}

/** `rpmem metrics SET`: prints the text of Prometheus once, or serves it until an interrupt. */
export async function giveMetrics(file: string, { listen }: MetricsFlags, io: Io): Promise<void> {
  if (listen === undefined) io.out(await currentMetrics(file))
  else await serve(file, addressOf(listen), io)
}

/** A note that nobody stands behind any more counts as that of a closed pool. ERR_RECORD if nothing is noted. */
async function currentMetrics(file: string): Promise<string> {
  const status = await readSetStatus(await loadPoolSet(file), file)
  if (status.pool) return metricsText(asItIs(status.pool, status), file)
  throw new RpmemError('ERR_RECORD', `nothing is noted of the pool of ${file}`, {
    facts: { file },
    hint: 'A pool with remote replicas notes its state beside its first part from the first time that it is opened.',
  })
}

/** What was noted, less what does not hold any more: the process may be gone, and a map knows better what is missing. */
function asItIs(pool: PoolStatus, { use, replicas }: SetStatus): PoolStatus {
  const standings = new Map(replicas.map(standing => [standing.name, standing]))
  return {
    ...pool,
    state: use === 'open' ? pool.state : 'closed',
    replicas: pool.replicas.map(report => {
      const { state = 'closed', noted } = standings.get(report.name) ?? {}
      return { ...report, state, missingBytes: noted?.missingBytes ?? report.missingBytes }
    }),
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

function addressOf(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '127.0.0.1', port }
  throw new RpmemError('ERR_USAGE', `--listen takes PORT, HOST:PORT or [IPV6]:PORT, not '${text}'`)
}

async function serve(file: string, address: Address, io: Io): Promise<void> {
  await currentMetrics(file)
  const server = createServer(async (request, response) => {
    const known = request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')
    if (!known) return void response.writeHead(404, plain).end('only GET /metrics\n')
    try {
      const text = await currentMetrics(file)
      response.writeHead(200, prometheus).end(text)
    } catch (error) {
      response.writeHead(503, plain).end(`${describe(error).join('\n')}\n`)
    }
  })
  await listening(server, address)
  const { family, address: host, port } = server.address() as AddressInfo
  io.err(`http://${family === 'IPv6' ? `[${host}]` : host}:${port}/metrics\n`)
  if (!io.signal.aborted) await once(io.signal, 'abort')
  server.closeAllConnections()
  await new Promise<void>(resolve => server.close(() => resolve()))
}

const plain = { 'content-type': 'text/plain; charset=utf-8' }
const prometheus = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }

async function listening(server: Server, { host, port }: Address): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw RpmemError.wrap('ERR_ARGUMENT', `nothing can be served at ${host}:${port}`, error, {
      facts: { host, port },
      hint: 'The cause says whether the port is taken or the address is not one of this machine.',
    })
  }
}
