import { RpmemError } from '../../core/index.js'
import type { RemoteConnector, RemoteReplica } from '../../pool/index.js'
import { ScriptedTarget } from '../pool/scripted-target.js'

/** Targets of this process that have no pool until one is created there. */
export function arenaTargets(...names: string[]) {
  const targets = new Map(names.map(name => [name, new ScriptedTarget(name)]))
  const at = (name: string): ScriptedTarget => {
    const target = targets.get(name)
    if (!target) throw new Error(`no target ${name}`)
    return target
  }
  const connector: RemoteConnector = {
    create: async request => at(request.node).create(request),
    async open(request): Promise<RemoteReplica> {
      const target = at(request.node)
      if (target.refusing) throw target.refusing
      if (target.bytes.length === 0) throw new RpmemError('ERR_PART_MISSING', 'the pool does not exist')
      return target.connect(request)
    },
  }
  return { at, connector }
}
