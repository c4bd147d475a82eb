import { type AnyNode, type Node, parse } from 'acorn'

/** Source of a module with a counter at each branch, on the same lines, and the words that its code compares with. */
export interface Instrumented {
  readonly source: string
  readonly counters: number
  readonly literals: readonly string[]
}

/** What a module says to find the counters of its thread, whichever is loaded first. */
const counters = 'globalThis.rpmemBranchCounters ??= new Uint8Array(65536)'

/** The counters of this thread: a byte each, which wraps. */
export const branchCounters = (): Uint8Array => new Function(`return ${counters}`)()

/**
 * Puts `counter++` at the beginning of every function body, branch of if, switch, ?: and logical operator, loop body and catch
 * block of an ECMAScript module. The counters take the indexes from `first` on.
 */
export function instrument(source: string, first: number): Instrumented {
  const instrumenter = new Instrumenter(first)
  instrumenter.visit(parse(source, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }))
  return {
    source: instrumenter.apply(source),
    counters: instrumenter.next - first,
    literals: [...instrumenter.literals],
  }
}

class Instrumenter {
  next: number
  readonly literals = new Set<string>()
  readonly #insertions: { readonly at: number; readonly text: string }[] = []

  constructor(first: number) {
    this.next = first
  }

  visit(node: Node): void {
    const known = node as AnyNode
    if (known.type === 'ImportDeclaration') return
    this.#count(known)
    if (known.type === 'Literal' && typeof known.value === 'string') this.#literal(known.value)
    if (known.type === 'TemplateElement') this.#literal(known.value.cooked ?? '')
    for (const child of Object.values(known)) {
      for (const item of Array.isArray(child) ? child : [child]) if (isNode(item)) this.visit(item)
    }
  }

  apply(source: string): string {
    const ordered = this.#insertions.map((insertion, index) => ({ ...insertion, index }))
    ordered.sort((left, right) => left.at - right.at || left.index - right.index)
    let [text, done] = ['', 0]
    for (const { at, text: piece } of ordered) {
      text += source.slice(done, at) + piece
      done = at
    }
    const preamble = `const $n = ${counters};`
    text += source.slice(done)
    return text.startsWith('#!') ? text.replace('\n', `\n${preamble}`) : preamble + text
  }

  #count(node: AnyNode): void {
    switch (node.type) {
      case 'ArrowFunctionExpression':
        if (node.body.type === 'BlockStatement') this.#statement(node.body)
        else this.#expression(node.body)
        break
      case 'IfStatement':
        if (node.alternate) this.#statement(node.alternate)
        else this.#closing(node.end, ` else {${this.#counter()};}`)
        this.#statement(node.consequent)
        break
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'CatchClause':
        this.#statement(node.body)
        break
      case 'SwitchCase':
        this.#insert(node.consequent[0]?.start ?? node.end, `${this.#counter()};`)
        break
      case 'ConditionalExpression':
        this.#expression(node.consequent)
        this.#expression(node.alternate)
        break
      case 'LogicalExpression':
        this.#expression(node.right)
    }
  }

  #statement(node: Node): void {
    if (node.type === 'BlockStatement') {
      this.#insert(node.start + 1, `${this.#counter()};`)
      return
    }
    this.#insert(node.start, `{${this.#counter()};`)
    this.#closing(node.end, '}')
  }

  #expression(node: Node): void {
    this.#insert(node.start, `(${this.#counter()},`)
    this.#closing(node.end, ')')
  }

  #counter(): string {
    return `$n[${this.next++}]++`
  }

  #insert(at: number, text: string): void {
    this.#insertions.push({ at, text })
  }

  /** Where several nodes end at one place, the inner one, which comes later, is closed first. */
  #closing(at: number, text: string): void {
    this.#insertions.unshift({ at, text })
  }

  #literal(value: string): void {
    if (value.length > 0 && value.length <= 24) this.literals.add(value)
  }
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
