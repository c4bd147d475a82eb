/** The text in lines of at most `columns`, broken at blanks where that is possible; later lines get `indent` more blanks. */
export function wrapped(text: string, columns: number, indent: number): string[] {
  const margin = ' '.repeat((/^ */.exec(text)?.[0].length ?? 0) + indent)
  const lines: string[] = []
  let rest = text
  while (width(rest) > columns) {
    const cut = breakAt(rest, columns, margin.length)
    lines.push(rest.slice(0, cut).trimEnd())
    rest = margin + rest.slice(cut).trimStart()
  }
  return [...lines, rest]
}

// Colours take no room. Built from its code, because a control character in a pattern is easily lost.
const colour = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g')
const width = (text: string): number => text.replace(colour, '').length

/** The last blank behind the margin that fits, or the edge itself for a word that is longer than a line. */
function breakAt(text: string, columns: number, margin: number): number {
  const edge = columns + text.length - width(text)
  const blank = text.lastIndexOf(' ', edge)
  return blank > margin ? blank : Math.max(edge, margin + 1)
}
