import { openSync } from 'node:fs'
import { isRpmemError } from '../../core/index.js'
import { NativeArenaMemory, trackings } from '../../fabric-native/index.js'

/** Maps 8 pages of a file, tracked as asked or as well as can be; stores into page 3 and prints what was found as JSON. */
const [, , path = '', asked] = process.argv
const tracking = trackings.find(name => name === asked)
try {
  const memory = NativeArenaMemory.map(openSync(path, 'r+'), 8 * 4096, tracking === undefined ? {} : { tracking })
  memory.view(3 * 4096, 1)[0] = 1
  const dirty = [...memory.takeDirty()]
  console.log(JSON.stringify({ tracking: memory.tracking, reasons: memory.trackingReasons, dirty }))
} catch (error) {
  if (!isRpmemError(error)) throw error
  console.log(JSON.stringify({ code: error.code, cause: (error.cause as { code?: string }).code }))
}
