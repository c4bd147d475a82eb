import { Parser, type Result } from 'tap-parser'

/**
 * What a TAP report amounts to. A test is a subtest, or a file, that asserts something itself; its subtests count on their
 * own. What tap lets pass is a failure here: a file without tests, a test without assertions, a report cut short.
 */
export interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** One line for each failure and each skip: the path of names and what is wrong. */
  readonly failures: readonly string[]
  readonly skips: readonly string[]
}

interface Tally {
  passed: number
  failures: string[]
  skips: string[]
}

export function outcomeOf(tap: string): Outcome {
  const tally: Tally = { passed: 0, failures: [], skips: [] }
  const parser = new Parser()
  const root = follow(parser, [], tally)
  parser.on('bailout', reason => tally.failures.push(`bail out: ${String(reason)}`))
  parser.end(tap)
  if (root.points === 0) tally.failures.push('nothing ran')
  return {
    passed: tally.passed,
    failed: tally.failures.length,
    skipped: tally.skips.length,
    failures: tally.failures,
    skips: tally.skips,
  }
}

/** What one level of the report has shown so far. */
interface Level {
  points: number
  assertions: number
  failed: number
  skipped: number
}

function follow(parser: Parser, path: readonly string[], tally: Tally): Level {
  const level: Level = { points: 0, assertions: 0, failed: 0, skipped: 0 }
  let inner: Level | undefined
  parser.on('child', (child: Parser) => {
    inner = follow(child, [...path, child.name], tally)
  })
  parser.on('assert', (point: Result) => {
    level.points++
    if (point.skip || point.todo) skip(point, [...path, point.name], tally, level)
    else if (inner) closeTest(point, inner, [...path, point.name], tally, level)
    else assertion(point, level)
    inner = undefined
  })
  parser.on('complete', results => {
    for (const failure of results.failures) if ('tapError' in failure && failure.tapError) broken(failure, path, tally)
  })
  return level
}

function skip(point: Result, path: readonly string[], tally: Tally, level: Level): void {
  level.skipped++
  const reason = typeof point.skip === 'string' ? point.skip : typeof point.todo === 'string' ? point.todo : ''
  if (reason === 'no tests found') tally.failures.push(`${path.join(' > ')}: a file without tests`)
  else tally.skips.push(`${path.join(' > ')}${reason && `: ${reason}`}`)
}

function closeTest(point: Result, inner: Level, path: readonly string[], tally: Tally, level: Level): void {
  level.failed += point.ok ? 0 : 1
  const name = path.join(' > ')
  if (inner.points === 0) tally.failures.push(`${name}: a test without assertions`)
  else if (inner.assertions === 0 && point.ok) return
  else if (point.ok) tally.passed++
  // A failure below is counted where it happened.
  else if (inner.failed === 0 || inner.assertions > 0) tally.failures.push(name)
}

function assertion(point: Result, level: Level): void {
  level.assertions++
  if (!point.ok) level.failed++
}

function broken(failure: { tapError?: unknown }, path: readonly string[], tally: Tally): void {
  tally.failures.push(`${path.join(' > ') || 'report'}: ${String(failure.tapError)}`)
}
