import { SshConnector, type SshConnectorOptions } from './initiator/index.js'
import {
  Arena as ArenaOfFiles,
  type ArenaOptions as ArenaOfFilesOptions,
  ManagedArena as ManagedArenaOfFiles,
} from './lpsm/index.js'

/** What the public face adds to the rooms: the nodes of `replicas` are reached by SSH. */
export interface ArenaOptions extends ArenaOfFilesOptions {
  /** How they are reached; the same for all of them. */
  readonly remote?: SshConnectorOptions
}

/** The arena of the public face. */
export class Arena extends ArenaOfFiles {
  static override async open(dataFile: string, logFile: string, options: ArenaOptions = {}): Promise<Arena> {
    return ArenaOfFiles.open.call(Arena, dataFile, logFile, connected(options))
  }
}

/** The managed arena of the public face. */
export class ManagedArena extends ManagedArenaOfFiles {
  static override async open(dataFile: string, logFile: string, options: ArenaOptions = {}): Promise<ManagedArena> {
    return ManagedArenaOfFiles.open.call(ManagedArena, dataFile, logFile, connected(options))
  }
}

/** A connector that the caller hands in stays. */
const connected = ({ remote, ...options }: ArenaOptions): ArenaOfFilesOptions => ({
  connectRemote: new SshConnector(remote ?? {}),
  ...options,
})
