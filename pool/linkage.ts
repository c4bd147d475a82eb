/** The neighbours of one member of a ring of UUIDs. */
export interface Neighbours {
  readonly prev: Uint8Array
  readonly next: Uint8Array
}

/**
 * The rings of reference pool-format 2: the parts of one replica, or the first parts of all replicas of a pool set in
 * order. A member that is alone is its own neighbour.
 */
export function ring(uuids: readonly Uint8Array[]): Neighbours[] {
  const at = (index: number): Uint8Array => uuids.at(index % uuids.length) ?? new Uint8Array()
  return uuids.map((_, index) => ({ prev: at(index - 1), next: at(index + 1) }))
}
