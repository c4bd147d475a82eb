import { styleText } from 'node:util'
import type { Io } from './io.js'

type Style = Parameters<typeof styleText>[0]

/** Colours for people, plain text for everything else. */
export interface Paint {
  readonly title: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly faint: (text: string) => string
  readonly bar: (text: string) => string
}

export function paintFor({ colors }: Pick<Io, 'colors'>): Paint {
  const style = (name: Style) => (text: string) => (colors ? styleText(name, text) : text)
  return { title: style('bold'), good: style('green'), bad: style('red'), faint: style('dim'), bar: style('cyan') }
}
