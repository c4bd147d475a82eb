import type { PoolAttributes } from '../core/index.js'
import type { CreateRemoteRequest, RemoteConnector, RemoteReplica, RemoteRequest } from './remote-connector.js'

/** A replica on a target, for whoever makes and mends copies. Offsets count from pool offset 0. */
export interface RemoteCopy extends RemoteReplica {
  /** Source: rpmem_read(3). */
  read(offset: number, into: Uint8Array): Promise<void>
  /** Durable in the headers of the target when it resolves. Source: rpmem_set_attr(3). */
  setAttributes(attributes: PoolAttributes | undefined): Promise<void>
}

/** Makes, opens and removes copies on targets. */
export interface RemoteCopies extends RemoteConnector {
  create(request: CreateRemoteRequest): Promise<RemoteCopy>
  open(request: RemoteRequest): Promise<RemoteCopy>
  /** Removes the parts; `force`: whatever is there of them. Source: rpmem_remove(3). */
  remove(node: string, set: string, options: { readonly force: boolean }): Promise<void>
}
