import { poolSetTarget } from '../poolset-target.js'

export const target = poolSetTarget('ini')
