export { AssertionError, assert, unreachable } from './assert.js'
export {
  attributesAreZero,
  attributesEqual,
  incompatSingleHeader,
  malformedAttribute,
  type PoolAttributes,
  signatureSize,
  userFlagsSize,
  uuidSize,
  zeroAttributes,
} from './attributes.js'
export { type CatalogueEntry, catalogue, type ErrorCode, errno } from './catalogue.js'
export { type Clock, systemClock } from './clock.js'
export {
  type Durability,
  describe,
  type ErrorDetails,
  type Fact,
  hasCode,
  isRpmemError,
  RpmemError,
  systemCode,
} from './error.js'
export {
  descend,
  type Generation,
  type GenerationReason,
  generationReasons,
  type Lineage,
  maxAncestors,
  type Relation,
  relate,
} from './generation.js'
export {
  bytes,
  count64be,
  count64le,
  i32le,
  type Kind,
  type Layout,
  list,
  reserved,
  struct,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64be,
  u64le,
  type ValueOf,
} from './layout.js'
export { filteredLog, type Log, type LogLevel, logLevels, printable, silentLog, singleLine } from './log.js'
export { type Random, seededRandom, systemRandom } from './random.js'
export {
  decodeReplicaRecord,
  encodeReplicaRecord,
  type ReplicaRecord,
  replicaRecordSize,
} from './replica-record.js'
export { alignDown, alignUp, formatBytes, formatMicroseconds, GiB, KiB, MiB, pageSize } from './units.js'
