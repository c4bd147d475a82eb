export type { RemoteFact, RemoteFacts, Report, ReportedOffer, VersionRange } from './control-field.js'
export { decodeControl, encodeControl } from './control-message.js'
export {
  type ControlMessage,
  type ControlType,
  controlHeader,
  controlTypeOf,
  maxControlSize,
  maxSumsSize,
} from './control-table.js'
export { errorOf, failureOf } from './failure.js'
export { encodeFirstWord, type FirstWord, FirstWordReader, rpmemWord } from './first-word.js'
export { controlShape, pmdkRequestShape, pmdkResponseShape } from './frame-shapes.js'
export { type Frame, Framer, type FrameShape } from './framer.js'
export {
  decodePmdkPersist,
  encodePmdkPersist,
  type PersistMode,
  type PmdkPersist,
  persistMessage,
  persistModeMask,
  persistModeOf,
  persistModes,
  persistResponse,
} from './in-band.js'
export {
  laneProof,
  laneSecretSize,
  laneToken,
  laneTokenSize,
  laneTokens,
  makeLaneSecret,
} from './lane-token.js'
export {
  acceptHello,
  checkAccept,
  chooseVersion,
  commonCapabilities,
  ourCapabilities,
  ourVersions,
  promptPing,
} from './negotiation.js'
export { type PmdkMethod, type PmdkProvider, pmdkBufferSize } from './pmdk-layout.js'
export {
  type PmdkClose,
  type PmdkCreate,
  type PmdkOpen,
  type PmdkRequest,
  type PmdkRequestType,
  type PmdkSetAttributes,
  pmdkRefusalOf,
} from './pmdk-request.js'
export { decodePmdkRequest, encodePmdkRequest } from './pmdk-request-codec.js'
export {
  decodePmdkResponse,
  encodePmdkResponse,
  type InBand,
  type PmdkRefused,
  type PmdkResponse,
} from './pmdk-response.js'
export {
  type PmdkRefusal,
  type PmdkStatus,
  pmdkStatusOf,
  pmdkStatusValue,
  refusalErrno,
  refusalError,
  refusalFor,
} from './pmdk-status.js'
export { checkPoolSetName, maxPoolSetNameSize, poolSetNameRule, poolSetPathRule } from './pool-set-name.js'
export { violation } from './violation.js'
