import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Layout } from '../core/index.js'
import { persistMessage, persistModeMask, persistModes, persistResponse } from '../wire/index.js'
import {
  laneAnswer,
  laneAnswerStatus,
  laneEntry,
  laneEntryFlags,
  laneMessage,
  laneMessageFlags,
  laneMessageKinds,
} from '../wire/lane-message.js'

/** The in-band tables of wire as constants for C++; `--check` fails where the committed header is not current. */
const layouts: readonly Layout<unknown>[] = [
  laneMessage,
  laneEntry,
  laneAnswer,
  persistMessage,
  persistResponse,
] as unknown as Layout<unknown>[]

const values: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'lane message kind': laneMessageKinds,
  'lane message flag': laneMessageFlags,
  'lane entry flag': laneEntryFlags,
  'lane answer status': laneAnswerStatus,
  'persist mode': { ...persistModes, mask: persistModeMask },
}

const constant = (words: string): string =>
  `k${words
    .replace(/([A-Z])/g, ' $1')
    .split(' ')
    .map(word => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
    .join('')}`

const line = (name: string, value: number): string => `inline constexpr size_t ${constant(name)} = ${value};`

function linesOf(layout: Layout<unknown>): string[] {
  const offsets = Object.entries(layout.offsets).map(([key, at]) => line(`${layout.name} ${key}`, at))
  return [line(`${layout.name} bytes`, layout.size), ...offsets, '']
}

export function layoutHeader(): string {
  const tables = layouts.flatMap(linesOf)
  const numbers = Object.entries(values).flatMap(([group, entries]) => [
    ...Object.entries(entries).map(([key, value]) => line(`${group} ${key}`, value)),
    '',
  ])
  return [
    '// Written by scripts/generate-layouts.ts from the tables in wire/; do not edit.',
    '#pragma once',
    '',
    '#include <cstddef>',
    '',
    'namespace rpmem::layout {',
    '',
    ...tables,
    ...numbers,
    '}  // namespace rpmem::layout',
    '',
  ].join('\n')
}

/** From dist/scripts. */
export const layoutHeaderPath = join(import.meta.dirname, '..', '..', 'fabric-native', 'src', 'layout.gen.h')

if (process.argv[1] === import.meta.filename) {
  const check = process.argv.includes('--check')
  if (!check) writeFileSync(layoutHeaderPath, layoutHeader())
  else if (readFileSync(layoutHeaderPath, 'utf8') !== layoutHeader()) process.exitCode = 1
}
