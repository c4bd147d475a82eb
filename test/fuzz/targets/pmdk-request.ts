import { decodePmdkRequest, encodePmdkRequest, pmdkRequestShape } from '../../../wire/index.js'
import { sessions } from '../../fixture/vectors.js'
import { cut, framesOf, readsBack } from '../framed-target.js'
import type { FuzzTarget } from '../fuzz-target.js'

const said = sessions().map(({ bursts }) => bursts.filter(({ from }) => from === 'initiator').map(({ bytes }) => bytes))

export const target: FuzzTarget = {
  claim: 'A request of a PMDK initiator is read as what can be written again, or is ERR_PROTOCOL',
  seeds: said.map(bytes => new Uint8Array(Buffer.concat(bytes))).flatMap(cut),
  run(input) {
    for (const { bytes } of framesOf(pmdkRequestShape, input)) readsBack(bytes, decodePmdkRequest, encodePmdkRequest)
  },
}
