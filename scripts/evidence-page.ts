import type { Evidence } from './evidence.js'

const head = `# Evidence

What \`scripts/test\` ran, how much of it, from which seeds, and what came out. Each run writes the same page for itself to
build/evidence.md; here stands what \`npm run evidence\` took from the latest run of each suite that was worth keeping, and CI
fails if this page names other suites than those that ran.
`

/** The page of what the suites recorded; suites that `former` names and that did not run keep the section they have there. */
export function evidencePage(all: readonly Evidence[], machine: string, former = ''): string {
  const ran = all.map((evidence): [string, string] => [evidence.suite, section(evidence, machine)])
  const sections = new Map([...sectionsOf(former), ...ran])
  return [head, ...[...sections.keys()].sort().map(suite => sections.get(suite) ?? '')].join('\n')
}

const sectionsOf = (page: string): [string, string][] =>
  page
    .split(/^(?=## )/m)
    .slice(1)
    .map(text => [suitesOf(text)[0] ?? '', `${text.trimEnd()}\n`])

/** The suites that a page names, in its order. */
export const suitesOf = (page: string): string[] => [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name ?? '')

function section(evidence: Evidence, machine: string): string {
  const { suite, claim, amount, seeds, result, reason, seconds, again } = evidence
  const counts = Object.entries(amount).map(([unit, count]) => `${count.toLocaleString('en-GB')} ${unit}`)
  const facts = [
    ['result', reason === undefined ? result : `${result}: ${reason}`],
    ['amount', counts.join(', ') || '—'],
    ['seeds', seeds.join(', ') || 'nothing random'],
    ['time', `${seconds.toFixed(0)} s, ${machine}`],
    ['again', `\`${again}\``],
  ]
  return `## ${suite}\n\n${claim}.\n\n| | |\n| --- | --- |\n${facts.map(([name, value]) => `| ${name} | ${value} |\n`).join('')}`
}
