import { decodePmdkResponse, encodePmdkResponse, pmdkResponseShape } from '../../../wire/index.js'
import { sessions } from '../../fixture/vectors.js'
import { cut, framesOf, readsBack } from '../framed-target.js'
import type { FuzzTarget } from '../fuzz-target.js'

/** Behind the status word with which the daemon begins. */
const said = sessions().map(({ bursts }) =>
  Buffer.concat(bursts.filter(({ from }) => from === 'target').map(({ bytes }) => bytes)).subarray(4),
)

export const target: FuzzTarget = {
  claim: 'An answer of a PMDK target is read as what can be written again, or is ERR_PROTOCOL',
  seeds: said.map(bytes => new Uint8Array(bytes)).flatMap(cut),
  run(input) {
    for (const { bytes } of framesOf(pmdkResponseShape, input)) {
      for (const type of ['create', 'open', 'close', 'setAttributes'] as const)
        readsBack(bytes, source => decodePmdkResponse(source, type), encodePmdkResponse)
    }
  },
}
