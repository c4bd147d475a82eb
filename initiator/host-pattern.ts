/** Patterns of ssh_config(5) and sshd(8): `*` any run, `?` any one character, `!` in front negates; letter case does not count. */
export function matchesPattern(pattern: string, name: string): boolean {
  return wildcard(pattern.toLowerCase(), name.toLowerCase())
}

/** True if one pattern of the list matches and no negated one does. */
export function matchesList(patterns: readonly string[], name: string): boolean {
  const negated = patterns.filter(pattern => pattern.startsWith('!'))
  if (negated.some(pattern => matchesPattern(pattern.slice(1), name))) return false
  return patterns.some(pattern => !pattern.startsWith('!') && matchesPattern(pattern, name))
}

/** Linear apart from one step back to the last star: a hostile pattern cannot make it slow. */
function wildcard(pattern: string, text: string): boolean {
  let p = 0
  let star = -1
  let resume = 0
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === '*') {
      star = p++
      resume = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}
