import { join } from 'node:path'
import { recordEvidence } from '../evidence.js'
import { outcomeOf } from '../tap-outcome.js'
import { Guest, type GuestEnd, type GuestOptions } from './guest.js'
import { fileReports, type GuestTests, joinReports, testCommand } from './guest-tests.js'
import { imageFile } from './image.js'
import { labFolder } from './kernel.js'

export interface Suite {
  /** Kebab-case; of its evidence as well. */
  readonly name: string
  /** As in Evidence. */
  readonly claim: string
  /** Runs it and resolves to a TAP report. */
  run(): Promise<SuiteRun>
}

export interface SuiteRun {
  readonly tap: string
  /** What was run, besides the tests of the report. */
  readonly amount?: Readonly<Record<string, number>>
  readonly seeds?: readonly number[]
}

const storage = '. scripts/vm/storage'

/** Runs the files in one guest that has a disk, an NVDIMM and an RDMA device. */
export async function runInGuest(name: string, tests: GuestTests): Promise<SuiteRun> {
  const disk = imageFile(join(labFolder, 'run', `${name}.disk`), 128, 'fresh')
  const nvdimm = imageFile(join(labFolder, 'run', `${name}.nvdimm`), 256, 'fresh')
  const command = testCommand(tests, storage)
  const end = await runGuest({ name, command, limitMs: tests.totalMs, rdma: true, disks: [disk.path], nvdimm })
  disk.remove()
  nvdimm.remove()
  return { tap: joinReports(fileReports(tests, end.output)) }
}

/** A guest from begin to end; what it had to say is shown if it did not come to its end. */
export async function runGuest(options: GuestOptions): Promise<GuestEnd> {
  const guest = new Guest(options)
  const end = await guest.ended
  guest.discard()
  if (end.exitCode === undefined || end.exitCode === setupFailed)
    console.error(`guest ${options.name} ended early:\n${end.console.slice(-4000)}`)
  return end
}

const setupFailed = 125

/** This machine cannot run it. */
export function recordAbsence({ name, claim }: Suite, reason: string): void {
  const facts = { suite: `lab-${name}`, claim, amount: {}, seeds: [], seconds: 0 }
  recordEvidence({ ...facts, result: 'absent', reason, again: `scripts/lab test ${name}` })
}

/** Runs a suite, shows what failed in it and leaves its evidence. */
export async function runSuite({ name, claim, run }: Suite): Promise<string> {
  const started = performance.now()
  const {
    tap,
    amount = {},
    seeds = [],
  } = await run().catch((error: Error): SuiteRun => {
    console.error(error.message)
    return { tap: joinReports([{ name, tap: '', exitCode: undefined }]) }
  })
  const { passed, failed, failures } = outcomeOf(tap)
  const seconds = (performance.now() - started) / 1000
  recordEvidence({
    ...{ suite: `lab-${name}`, claim, seeds, seconds },
    amount: { ...amount, passed, failed },
    result: failed === 0 ? 'passed' : 'failed',
    again: `scripts/lab test ${name}`,
  })
  console.log(
    `${failed === 0 ? 'ok' : 'not ok'} - ${name}: ${passed} passed, ${failed} failed # ${seconds.toFixed(0)} s`,
  )
  for (const line of failures) console.log(`  ${line}`)
  return tap
}
