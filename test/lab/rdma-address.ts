import { readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'

const devices = '/sys/class/infiniband'

/** An address behind which this machine has an RDMA device; undefined if there is none (rdma-link(8)). */
export function rdmaAddress(family: 'IPv4' | 'IPv6' = 'IPv4'): string | undefined {
  const interfaces = networkInterfaces()
  return rdmaInterfaces()
    .flatMap(name => interfaces[name] ?? [])
    .find(info => info.family === family && !info.address.startsWith('fe80:'))?.address
}

function rdmaInterfaces(): string[] {
  try {
    return readdirSync(devices).map(device =>
      readFileSync(join(devices, device, 'ports/1/gid_attrs/ndevs/0'), 'utf8').trim(),
    )
  } catch {
    return []
  }
}
