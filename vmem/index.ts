export { Block } from './block.js'
export type { VmemFunctions } from './diagnosis.js'
export { Vmem, type VmemCheck, type VmemOptions, type VmemRegion, type VmemToken } from './vmem.js'
