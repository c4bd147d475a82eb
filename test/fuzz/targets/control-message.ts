import { controlShape, decodeControl, encodeControl } from '../../../wire/index.js'
import { controlMessages } from '../control-seeds.js'
import { cut, framesOf, readsBack } from '../framed-target.js'
import type { FuzzTarget } from '../fuzz-target.js'

export const target: FuzzTarget = {
  claim: 'A control message of the rpmem dialect is read as what can be written again, or is ERR_PROTOCOL',
  seeds: controlMessages.map(encodeControl).flatMap(cut),
  words: ['null', 'true', '[]', '{}', '"', '\\u0000', ',', ':', '1e999', '-0', '9007199254740993'],
  run(input) {
    for (const frame of framesOf(controlShape, input)) {
      readsBack(frame.bytes, bytes => decodeControl({ type: frame.type, bytes }), encodeControl)
    }
  },
}
