import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { type Evidence, forgetEvidence, readEvidence } from './evidence.js'
import { evidencePage, suitesOf } from './evidence-page.js'

/**
 * write-evidence           brings docs/evidence.md up to what the suites left since the last --forget (`npm run evidence`)
 * write-evidence --forget  at the begin of a run
 * write-evidence --check   at its end: writes build/evidence.md and fails if a suite failed, could not run without being
 *                          declared in test/declared-skips.txt, or if docs/evidence.md names others
 */
const page = 'docs/evidence.md'

function machine(): string {
  const processors = cpus()
  return `Node ${process.versions.node}, Linux ${release().split('-')[0]}, ${processors.length} processors`
}

function check(all: readonly Evidence[]): string[] {
  const declared = readFileSync('test/declared-skips.txt', 'utf8').split('\n')
  const isDeclared = (line: string) => declared.some(piece => /^[^#\s]/.test(piece) && line.includes(piece.trim()))
  const committed = suitesOf(readFileSync(page, 'utf8'))
  const ran = all.map(({ suite }) => suite)
  return [
    ...all.filter(({ result }) => result === 'failed').map(({ suite }) => `${suite} failed`),
    ...all
      .filter(({ result }) => result === 'absent')
      .map(({ suite, reason }) => `${suite} cannot run here: ${reason}`)
      .filter(line => !isDeclared(line)),
    ...ran.filter(suite => !committed.includes(suite)).map(suite => `${page} does not know ${suite}: npm run evidence`),
    ...committed.filter(suite => !ran.includes(suite)).map(suite => `${suite} of ${page} did not run`),
  ]
}

function main(mode: string | undefined): number {
  if (mode === '--forget') {
    forgetEvidence()
    return 0
  }
  const all = readEvidence()
  mkdirSync('build', { recursive: true })
  if (mode === '--check') writeFileSync('build/evidence.md', evidencePage(all, machine()))
  else writeFileSync(page, evidencePage(all, machine(), existsSync(page) ? readFileSync(page, 'utf8') : ''))
  if (mode !== '--check') return 0
  for (const { suite, result, amount, seconds } of all)
    console.log(`${result}: ${suite} ${JSON.stringify(amount)} # ${seconds.toFixed(0)} s`)
  const complaints = check(all)
  for (const complaint of complaints) console.error(complaint)
  return complaints.length === 0 ? 0 : 1
}

process.exitCode = main(process.argv[2])
