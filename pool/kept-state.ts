/**
 * `synced`: it holds all that was persisted. `comparing` and `syncing`: it is connected and being brought up to date; it gets
 * new persists only in `syncing`, and counts for nothing yet. `lost`: the next attempt to connect is due. `refused`: it would be
 * overwritten by what it does not know; somebody has to decide, and it is asked again from time to time.
 */
export type KeptState = 'connecting' | 'comparing' | 'syncing' | 'synced' | 'lost' | 'refused' | 'closed'

export interface KeptChange {
  readonly state: KeptState
  /** Why it is lost or refused. */
  readonly error?: unknown
  /** Of `lost` and `refused`: the time until the next attempt. */
  readonly nextAttemptMs?: number
}
