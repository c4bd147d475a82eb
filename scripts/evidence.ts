import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What one suite of scripts/test has shown; one line of JSON in build/evidence/SUITE.json. */
export interface Evidence {
  /** Kebab-case; also the name of the file. */
  readonly suite: string
  /** The claim that was tested, as a sentence without its full stop. */
  readonly claim: string
  /** How much was run: executions, tests, files, cuts … */
  readonly amount: Readonly<Record<string, number>>
  /** What repeats the random part of the run; empty where nothing was random. */
  readonly seeds: readonly (number | string)[]
  /** `absent`: this machine cannot run it, for the reason given. */
  readonly result: 'passed' | 'failed' | 'absent'
  readonly reason?: string
  readonly seconds: number
  /** The command that runs it again. */
  readonly again: string
}

const folder = 'build/evidence'

/** Replaces what an earlier run of the suite has left. */
export function recordEvidence(evidence: Evidence): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${evidence.suite}.json`), `${JSON.stringify(evidence)}\n`)
}

/** What all suites have left, by name. */
export function readEvidence(): Evidence[] {
  return names().map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Evidence)
}

/** For the begin of a run, so that a suite which does not run leaves nothing. */
export function forgetEvidence(): void {
  rmSync(folder, { recursive: true, force: true })
}

function names(): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith('.json'))
      .sort()
  } catch {
    return []
  }
}
