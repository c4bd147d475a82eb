import { incompatShutdownState, type PartHeader } from './header.js'
import type { Part } from './part.js'
import { type DeviceState, deviceState, unknownDevices } from './shutdown-state.js'
import type { Storage } from './storage.js'

/** Does the pool with this first header keep a shutdown state? */
export const keepsShutdownState = (first: PartHeader | undefined): first is PartHeader =>
  first !== undefined && (first.incompat & incompatShutdownState) !== 0

/** What the shutdown state of these parts says of their devices today. What cannot be read, as by others than root, is unknown. */
export function devicesBelow(parts: readonly Part[], storage: Storage): DeviceState {
  const read = storage.unsafeShutdowns?.bind(storage)
  if (read === undefined) return unknownDevices
  try {
    return deviceState(parts.map(({ fd }) => read(fd)))
  } catch {
    return unknownDevices
  }
}
