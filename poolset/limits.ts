import { MiB, pageSize } from '../core/index.js'

/** Limits of the media format, bytes. */
export const minimumPartSize = 2 * MiB
export const minimumPoolSize = 2 * pageSize
