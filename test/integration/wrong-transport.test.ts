import t from 'tap'
import type { LogLevel } from '../../core/index.js'
import { MiB } from '../../core/index.js'
import { NativeMemory } from '../../fabric-native/index.js'
import { type RemotePool as Remote, RemotePool, type RemotePoolCreateOptions } from '../../initiator/index.js'
import { TargetHost } from './target-host.js'
import { withoutNetwork } from './without-privileges.js'
import { proveWrongInput, Scene, type WrongInput } from './wrong-input.js'

const rows: readonly WrongInput[] = [
  {
    name: 'a request for zero lanes',
    code: 'ERR_ARGUMENT',
    facts: { argument: 'lanes', value: 0 },
    attempt: scene => scene.create({ lanes: 0 }),
  },
  {
    name: 'a provider that is required and missing',
    code: 'ERR_NO_PROVIDER',
    facts: { verbs: /^here: ./, tcp: 'verbs is required', sockets: 'verbs is required' },
    attempt: scene => scene.create({ transport: { require: 'verbs' } }),
  },
  {
    name: 'a data port that cannot be reached',
    code: 'ERR_PORT_UNREACHABLE',
    facts: { address: '127.0.0.1' },
    hint: /firewall/,
    // The daemon hears SSH through its pipes, but its loopback interface is one of its own.
    attempt: scene => {
      const shut = scene.host.script('shut', [], [], `${withoutNetwork} sh -c 'ip link set lo up; exec "$@"' -`)
      return scene.create({ command: shut })
    },
  },
]

async function withRemote(
  scene: Scene,
  options: RemotePoolCreateOptions,
  use: (pool: Remote, memory: NativeMemory) => Promise<void>,
): Promise<void> {
  const memory = NativeMemory.anonymous(8 * MiB)
  try {
    const attributes = undefined
    scene.poolSet(`PMEMPOOLSET\nOPTION NOHDRS\n8M ${scene.part}\n`)
    const set = `${scene.name}/x.set`
    const pool = await RemotePool.create(scene.host.address, set, memory, { ...scene.remote, ...options, attributes })
    try {
      await use(pool, memory)
    } finally {
      await pool.close()
    }
  } finally {
    memory.close()
  }
}

t.before(async () => {
  const host = await TargetHost.start(t)
  proveWrongInput(t, host, rows)

  t.test('more lanes than both ends can are granted in part, and that is said', async t => {
    const said: string[] = []
    const log = { write: (level: LogLevel, text: string) => void said.push(`${level} ${text}`) }
    await withRemote(new Scene(host, 'lanes'), { lanes: 100_000, log }, async (pool, memory) => {
      t.equal(pool.lanesRequested, 100_000)
      t.ok(pool.laneCount >= 1 && pool.laneCount < 100_000, `${pool.laneCount} lanes`)
      t.match(said.join('\n'), new RegExp(`notice .*: ${pool.laneCount} of 100000 lanes were granted`))
      memory.view(0, 8).fill(7)
      pool.persistSync(0, 8, { lane: pool.laneCount - 1 })
      await t.rejects(pool.persist(0, 8, { lane: pool.laneCount }), { code: 'ERR_LANE_RANGE' })
    })
  })

  t.test('no locked memory at all does not hinder tcp; verbs, which needs it, is not on this machine', async t => {
    const locked = host.script('locked', [], [], 'prlimit --memlock=0')
    await withRemote(new Scene(host, 'locked'), { command: locked }, async (pool, memory) => {
      memory.view(0, MiB).fill(9)
      await pool.persist(0, MiB)
      t.match(pool.transport, {
        provider: 'tcp',
        why: [{ provider: 'verbs', chosen: false, reason: /^here: ./ }, {}, {}],
      })
    })
  })
})
