import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { seededRandom } from '../../core/index.js'
import { Guest, lastWords } from './guest.js'
import { imageFile } from './image.js'
import { labFolder } from './kernel.js'
import type { SuiteRun } from './suite.js'

export interface PowerCutOptions {
  /** Default 20. */
  readonly cuts?: number
  /** Default: drawn, and printed. */
  readonly seed?: number
  /** For all of it; default unlimited. */
  readonly totalMs?: number
  /** Called for each cut as soon as it was judged. */
  readonly onCut?: (cut: Cut) => void
}

/** One pull of the plug, judged by the next life of the machine. */
export interface Cut {
  readonly machine: number
  readonly number: number
  readonly seed: number
  /** From the first word of the writer. */
  readonly afterMs: number
  /** Persists acknowledged before the cut, of all pools. */
  readonly acknowledged: number
  /** Copies of them that are not there; undefined if nobody could judge. */
  readonly missing: number | undefined
  readonly reason?: string
}

type Acked = Record<string, number>
interface Former {
  readonly seed: number
  readonly acked: Acked
  /** Of the kept pool, those that its replica did not have yet. */
  readonly here: readonly number[]
  readonly afterMs: number
}

const machines = 2
const lifeMs = 180_000
const longestMs = 2500
/** Of the build that acknowledges what it never made durable. */
const brokenCuts = 2

/** `cuts` of an honest build, and two of a broken one, which have to be caught. */
export async function runPowerCuts(options: PowerCutOptions = {}): Promise<SuiteRun> {
  const { cuts = 20, seed = drawSeed(), totalMs = Number.POSITIVE_INFINITY, onCut } = options
  const end = performance.now() + totalMs
  console.log(`power cuts: seed ${seed}`)
  const each = Array.from({ length: machines }, (_, n) => Math.floor((cuts + n) / machines))
  const honest = await Promise.all(
    each.map((count, n) => lives({ machine: n, cuts: count, seed: seed + n * 1_000_003, end, onCut })),
  )
  const broken = await lives({ machine: 0, cuts: brokenCuts, seed, end, onCut, preload: brokenLibrary() })
  const all = honest.flat()
  return {
    tap: report(seed, all, broken),
    amount: { cuts: all.length, persists: sum(all, 'acknowledged'), missing: sum(all, 'missing') },
    seeds: [seed],
  }
}

export const drawSeed = (): number => Math.floor(Math.random() * 1_000_000)

const sum = (cuts: readonly Cut[], key: 'acknowledged' | 'missing') =>
  cuts.reduce((total, cut) => total + (cut[key] ?? 0), 0)

interface MachineOptions {
  readonly machine: number
  readonly cuts: number
  readonly seed: number
  /** As performance.now(). */
  readonly end: number
  readonly onCut?: PowerCutOptions['onCut']
  /** A library that makes the build a broken one. */
  readonly preload?: string
}

/** The lives of one machine: each but the first judges the one before, each but the last is cut short. */
async function lives({ machine, cuts, seed, end, onCut, preload }: MachineOptions): Promise<Cut[]> {
  const random = seededRandom(seed)
  const name = `cut${machine}`
  const disk = imageFile(join(labFolder, 'run', `${name}.disk`), 64, 'fresh')
  const nvdimm = imageFile(join(labFolder, 'run', `${name}.nvdimm`), 128, 'fresh')
  const judged: Cut[] = []
  let former: Former | undefined
  for (let life = 0; life <= cuts; life++) {
    const [low = 0, high = 0, fresh = 0] = random.bytes(3)
    const last = life === cuts
    const orders = {
      former,
      ...(last ? {} : { seed: seed + life }),
      create: life === 0 || (preload === undefined && fresh % 3 === 0),
      // Where nothing is flushed, a pool that is kept cannot even be opened again.
      pools: preload === undefined ? ['disk', 'pmem', 'kept'] : ['disk', 'pmem'],
    }
    const guest = new Guest({
      ...{ name, disks: [disk.path], nvdimm, processors: 1, memoryMiB: 1024 },
      limitMs: Math.max(1, Math.min(lifeMs, end - performance.now())),
      // The first life of a broken build is honest, so that a file is there to miss something in.
      command: `. scripts/vm/storage\n${preload && life > 0 && !last ? 'export LD_PRELOAD=/run/lab/idle-msync.so\n' : ''}node dist/test/lab/power-writer.js`,
      files: {
        'orders.json': JSON.stringify(orders),
        ...(preload === undefined ? {} : { 'idle-msync.so': readFileSync(preload) }),
      },
    })
    const next = await live(guest, ((high << 8) | low) % longestMs)
    if (former) {
      judged.push({ machine, number: life, ...summary(former), ...next.verdict })
      onCut?.(judged.at(-1) as Cut)
    }
    if (next.failure !== undefined && !last) {
      const cut = { machine, number: life + 1, seed, afterMs: 0, acknowledged: 0, missing: undefined }
      judged.push({ ...cut, reason: next.failure })
      onCut?.(judged.at(-1) as Cut)
      break
    }
    former = { seed: seed + life, ...next.left }
  }
  disk.remove()
  nvdimm.remove()
  return judged
}

const summary = ({ seed, acked, afterMs }: Former) => ({ seed, afterMs, acknowledged: total(acked) })
const total = (acked: Acked) => Object.values(acked).reduce((all, count) => all + count, 0)

interface Life {
  readonly verdict: { readonly missing: number | undefined; readonly reason?: string }
  readonly left: Omit<Former, 'seed'>
  /** Why it never began to write. */
  readonly failure?: string
}

/** Follows a guest until its plug is pulled, `afterMs` after it began to write, or it has ended by itself. */
async function live(guest: Guest, afterMs: number): Promise<Life> {
  const acked: Acked = { disk: 0, pmem: 0, kept: 0 }
  const here: number[] = []
  let judged = false
  let missing = 0
  let reason: string | undefined
  guest.on('line', line => {
    const [word, pool = '', ...rest] = line.split(' ')
    if (word === 'ack') {
      acked[pool] = Number(rest[0])
      if (rest[1] === 'here') here.push(Number(rest[0]))
    } else if (word === 'judged' && pool === '') judged = true
    else if (word === 'judged') missing += Number(rest[2])
    else if (word === 'first') reason = line
  })
  const began = await Promise.race([guest.said(/^writing/).then(() => true), guest.ended.then(() => false)]).catch(
    () => false,
  )
  if (began) {
    await Promise.race([pause(afterMs), guest.ended])
    guest.cut()
  }
  const end = await guest.ended
  guest.discard()
  if (!began && !judged) console.error(`exit code ${end.exitCode}: ${lastWords(end)}`)
  return {
    verdict: {
      missing: judged ? missing : undefined,
      ...(judged ? {} : { reason: `the next life could not judge: ${lastWords(end)}` }),
      ...(reason === undefined ? {} : { reason }),
    },
    left: { acked, here, afterMs },
    ...(began ? {} : { failure: `it never wrote: ${lastWords(end)}` }),
  }
}

/** A library that makes msync do nothing, as a build would that acknowledges before. */
function brokenLibrary(): string {
  const source = resolve('test', 'fixture', 'idle-msync.c')
  const library = join(labFolder, 'idle-msync.so')
  if (existsSync(source)) execFileSync('g++', ['-x', 'c', '-shared', '-fPIC', '-o', library, source])
  return library
}

function report(seed: number, honest: readonly Cut[], broken: readonly Cut[]): string {
  const kept = honest.map(cut => [cut.missing === 0, describe(cut)] as const)
  const caught = broken.slice(1).map(cut => [(cut.missing ?? 0) > 0, describe(cut)] as const)
  const tests = [
    [`seed ${seed}: nothing that was acknowledged is missing after a power cut`, kept],
    [`seed ${seed}: a build that acknowledges before msync is caught`, caught],
  ] as const
  const parts = tests.map(([name, points], n) => {
    const lines = points.map(([ok, text], at) => `    ${ok ? 'ok' : 'not ok'} ${at + 1} - ${text}\n`)
    const all = points.length > 0 && points.every(([ok]) => ok)
    return `# Subtest: ${name}\n${lines.join('')}    1..${points.length}\n${all ? 'ok' : 'not ok'} ${n + 1} - ${name}\n`
  })
  return `TAP version 14\n${parts.join('\n')}1..${tests.length}\n`
}

export function describe({ machine, number, afterMs, acknowledged, missing, reason }: Cut): string {
  const verdict = missing === undefined ? 'not judged' : `${missing} missing`
  const why = reason === undefined ? '' : `: ${reason.replaceAll(/[#{}\p{Cc}]+/gu, ' ').slice(-300)}`
  return `machine ${machine}, cut ${number} after ${afterMs} ms: ${acknowledged} acknowledged, ${verdict}${why}`
}
