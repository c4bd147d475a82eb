import { report, sourceFiles } from './source-file.js'
import { treeViolations } from './tree-rules.js'

/** Looks for what must not be in the tree; run from the root of the repository. Vectors are data and say what they say. */
const files = sourceFiles('.', path =>
  /\.(ts|cc|h|json|md|gyp|yaml|yml)$|\.npmrc$|^scripts\/[a-z]+$|^\.ci\//.test(path),
)
report('tree', treeViolations(files.filter(file => !file.path.startsWith('test/vectors/'))), files.length)
