import { writeFileSync } from 'node:fs'
import { errorsPage } from './errors-page.js'

/** Writes the pages that come from code; run from the root of the repository. */
writeFileSync('docs/errors.md', errorsPage())
