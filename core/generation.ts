/**
 * A stretch of writing by one writer with one set of replicas. A new one begins whenever a replica may fall behind the writer,
 * or takes over from it, so that two copies can later be told apart by what they have been through. The idea is that of DRBD's
 * generation identifiers.
 */
export interface Generation {
  /** 16 random bytes in hexadecimal. */
  readonly id: string
  /** 1 … 2^53 - 1, one more than that of the parent: the fencing token. */
  readonly number: number
  /** ISO 8601, by the clock of the writer; for people only. */
  readonly since: string
  /** 'host pid'; for people only. */
  readonly writer: string
  readonly why: GenerationReason
}

export const generationReasons = ['created', 'replica lost', 'promoted', 'resolved', 'restored'] as const
export type GenerationReason = (typeof generationReasons)[number]

/** What one copy of a pool has been through. */
export interface Lineage {
  /** Shared by all copies of the pool: 16 random bytes in hexadecimal, made with it. */
  readonly pool: string
  readonly current: Generation
  /** Newest first, at most `maxAncestors`. */
  readonly ancestors: readonly Generation[]
}

export const maxAncestors = 31

/**
 * How another copy stands to ours. `equal`: the same generation. `behind`: it stopped at an ancestor of ours. `ahead`: ours
 * stopped at an ancestor of it. `diverged`: both went on, each without the other. `stranger`: it is another pool.
 */
export type Relation =
  | { readonly kind: 'equal' }
  | { readonly kind: 'behind' | 'ahead'; readonly common: Generation }
  /** Without `common` the parting lies further back than the ancestors that are remembered. */
  | { readonly kind: 'diverged'; readonly common: Generation | undefined }
  | { readonly kind: 'stranger' }

/** What `theirs` is to `ours`. */
export function relate(ours: Lineage, theirs: Lineage): Relation {
  if (ours.pool !== theirs.pool) return { kind: 'stranger' }
  if (ours.current.id === theirs.current.id) return { kind: 'equal' }
  if (has(ours.ancestors, theirs.current)) return { kind: 'behind', common: theirs.current }
  if (has(theirs.ancestors, ours.current)) return { kind: 'ahead', common: ours.current }
  return { kind: 'diverged', common: ours.ancestors.find(ancestor => has(theirs.ancestors, ancestor)) }
}

/** The lineage after a new generation has begun. */
export function descend(lineage: Lineage, begun: Omit<Generation, 'number'>): Lineage {
  const { pool, current, ancestors } = lineage
  return {
    pool,
    current: { ...begun, number: current.number + 1 },
    ancestors: [current, ...ancestors].slice(0, maxAncestors),
  }
}

const has = (generations: readonly Generation[], sought: Generation): boolean =>
  generations.some(({ id }) => id === sought.id)
