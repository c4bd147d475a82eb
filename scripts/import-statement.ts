/** An import or re-export of one module, as it stands in the source. */
export interface ImportStatement {
  readonly specifier: string
  readonly line: number
}

/**
 * Finds static imports, re-exports and dynamic imports with a literal specifier. Comments are blanked first, so that an
 * example in a docstring is not an import; strings are not parsed beyond that, because a `from 'x'` inside one would only
 * cause a false alarm.
 */
export function importStatements(source: string): ImportStatement[] {
  const code = blankComments(source)
  const found: ImportStatement[] = []
  const pattern = /(?:^|[;}\s])(?:(?:import|export)\b[^'"`;()]*?\bfrom\s*|import\s*\(?\s*)(['"])([^'"\n]+)\1/g
  for (const match of code.matchAll(pattern)) {
    const specifier = match[2] ?? ''
    const at = match.index + match[0].lastIndexOf(specifier)
    found.push({ specifier, line: code.slice(0, at).split('\n').length })
  }
  return found
}

/** Keeps line breaks and string literals; a comment becomes blanks. */
function blankComments(source: string): string {
  const tokens = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g
  return source.replace(tokens, token => (token.startsWith('/') ? token.replace(/[^\n]/g, ' ') : token))
}
