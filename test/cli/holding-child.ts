import { Pool } from '../../pool/index.js'
import { connectorTo, ScriptedTarget } from '../pool/scripted-target.js'

/** Creates the pool of a set with one target of its own, says so, and holds it until it is killed. */
const [set = ''] = process.argv.slice(2)
await Pool.create(set, { connectRemote: connectorTo(new ScriptedTarget('node1')) })
process.stdout.write('open\n')
setInterval(() => {}, 1 << 30)
