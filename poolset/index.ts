export { isEmptyDirectorySet, withNextFiles } from './directory-files.js'
export { deviceFact, deviceNumber, type FileFact, type FileFacts, noFiles, systemFiles } from './file-facts.js'
export { minimumPartSize, minimumPoolSize } from './limits.js'
export { loadPoolSet } from './load.js'
export { headerCount, type Measure, mappedParts, measure, type ReplicaMeasure } from './measure.js'
export { type Mistake, PoolSetSyntaxError, type Rule, renderMistakes } from './mistake.js'
export {
  type Notation,
  notationOfFile,
  notations,
  type ParseOptions,
  parsePoolSet,
  printPoolSet,
} from './notation.js'
export { type PartExtent, partExtents } from './part-extent.js'
export { type PartPlan, type Plan, type Purpose, plan, type ReplicaPlan, requirePlan } from './plan.js'
export {
  type DirectoryFile,
  isDirectorySet,
  type Line,
  type LineKind,
  type LocalReplicaSpec,
  localReplicas,
  type PartKind,
  type PartSpec,
  type PoolSet,
  type PoolSetOptions,
  type RemoteReplicaSpec,
  type ReplicaSpec,
  remoteReplicas,
} from './pool-set.js'
export { parseSize, sizeSuffixes } from './size.js'
export type { Violation } from './violation.js'
