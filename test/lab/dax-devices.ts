import { execFileSync } from 'node:child_process'

interface Namespace {
  readonly dev: string
  readonly mode: string
  readonly chardev?: string
}

/** Makes the device DAX of a guest that scripts/vm/storage has prepared into two, which begin with zeros. Source: ndctl(1). */
export function twoDaxDevices(): [string, string] {
  for (const { dev, mode } of namespaces()) if (mode === 'devdax') ndctl('destroy-namespace', '--force', dev)
  const make = () => ndctl('create-namespace', '--region=region0', '--mode=devdax', '--size=32M')
  make()
  make()
  const [first, second] = namespaces().flatMap(({ chardev }) => (chardev ? [`/dev/${chardev}`] : []))
  if (first === undefined || second === undefined) throw new Error(`ndctl made ${first} and ${second}`)
  return [first, second]
}

const namespaces = (): Namespace[] => JSON.parse(ndctl('list', '--namespaces'))

const ndctl = (...words: string[]): string =>
  execFileSync('ndctl', words, { encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'inherit'] })
