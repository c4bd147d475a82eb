import type { DurabilityMethod } from '../fabric-native/index.js'
import type { Transport } from '../pool/index.js'

const methods: Readonly<Record<DurabilityMethod, string>> = {
  dax: 'durable by cache flush (DAX)',
  msync: 'durable by msync',
  volatile: 'volatile: lost with the power',
}

/** How a replica makes bytes durable, in words. */
export const methodText = (method: DurabilityMethod): string => methods[method]

/** The path of the data and, one line each, why it and not another. */
export function transportText({ provider, persistMethod, why }: Transport): { path: string; why: string[] } {
  const reasons = why.map(
    ({ provider: candidate, chosen, reason }) => `${candidate}: ${chosen ? 'chosen, ' : ''}${reason}`,
  )
  return { path: `${provider}, ${persistMethod}`, why: reasons }
}
