import { layerViolations } from './layers.js'
import { report, sourceFiles } from './source-file.js'

/** Checks the layers of the house by reading imports; run from the root of the repository. */
const files = sourceFiles('.', path => path.endsWith('.ts') && !path.endsWith('.d.ts'))
report('layers', layerViolations(files), files.length)
