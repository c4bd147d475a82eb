import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { nativeFabric, type ProviderReport } from '../../fabric-native/index.js'
import { type RemotePoolCreateOptions, readEnvironment } from '../../initiator/index.js'
import { rpmemd } from '../../target/index.js'
import { type FarEnd, ScriptedShell } from '../initiator/scripted-shell.js'
import { mapAs, scratch } from '../pool/scratch.js'
import {
  type Combination,
  type Ground,
  headerKinds,
  nameOf,
  type Path,
  partCounts,
  pathName,
  prove,
} from './combination.js'

/** Our two ends over everything that they can agree on: the whole daemon, but in this process; lanes over the loopback device. */

const seed = Number(process.env.RPMEM_TEST_SEED ?? 1)
/** tcp could grant more; here the target grants what sockets can, so that over each provider fewer are granted than asked. */
const most = 16
const lanesAsked = [...Array.from({ length: most }, (_, n) => n + 1), 33]

const atMost = (reports: readonly ProviderReport[]): ProviderReport[] =>
  reports.map(report =>
    report.offer ? { ...report, offer: { ...report.offer, maxLanes: Math.min(most, report.offer.maxLanes) } } : report,
  )

/** A target that is reached without SSH and starts without a process. */
function targetHere(t: Test, path: Path): Ground & { readonly exits: number[] } {
  const [folder, parts] = [scratch(t), scratch(t)]
  const exits: number[] = []
  const fabric = {
    ...nativeFabric,
    probe: async (...args: Parameters<typeof nativeFabric.probe>) => atMost(await nativeFabric.probe(...args)),
  }
  const play = ({ command, input, output, errors, exit }: FarEnd) => {
    const given = command
      .split(' ')
      .slice(1)
      .filter(word => path.dialect === 'rpmem' || word !== 'negotiate')
    const own = [`--poolset-dir=${folder}`, `--log-file=${folder}/log`, ...(path.apm ? ['--persist-apm'] : [])]
    const env = { SSH_CONNECTION: '127.0.0.1 1111 127.0.0.1 2222' }
    const ports = { args: [...own, ...given], env, input, output, stderr: errors, fabric, home: () => folder }
    void rpmemd({ ...ports, version: () => 'here', globalConfigFile: `${folder}/none`, onSignal: () => {} }).then(
      exitCode => {
        exits.push(exitCode)
        exit({ exitCode })
      },
    )
  }
  const options: RemotePoolCreateOptions = {
    ...{ shell: new ScriptedShell(play), environment: readEnvironment({ RPMEM_ENABLE_SOCKETS: '1' }) },
    deadlineMs: 30_000,
  }
  return {
    ...{ address: 'node2', options, most, exits },
    part: index => join(parts, String(index)),
    write: text => writeFileSync(join(folder, 'x.set'), text),
    partFiles: () => readdirSync(parts),
  }
}

/**
 * Crosses everything else with this path. What takes its time, lanes over sockets and many parts, meets each number of lanes with
 * one kind of headers.
 */
export function cross(path: Path): void {
  for (const parts of partCounts) {
    for (const [kind, headers] of headerKinds.entries()) {
      const all = parts < 20 && path.provider === 'tcp'
      const asked = lanesAsked.filter((_, n) => all || n % headerKinds.length === kind)
      const which = all ? 'each number of lanes' : 'every third number of lanes'
      t.test(`${pathName(path)}: ${parts} parts, headers ${headers}, ${which}, seed ${seed}`, async t => {
        mapAs(t, path.apm ? 'dax' : 'msync')
        const target = targetHere(t, path)
        for (const [n, lanes] of asked.entries()) {
          const combination: Combination = { path, lanes, parts, headers }
          await t.test(nameOf(combination), t => prove(t, target, combination, seed * 1000 + n))
        }
        t.strictSame(target.exits, Array(asked.length * 3).fill(0), 'each daemon ended well')
      })
    }
  }
}
