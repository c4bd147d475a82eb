import { readdirSync } from 'node:fs'

/** Targets in TypeScript, by file: test/fuzz/targets/NAME.ts, compiled. */
export const scriptTargets = (): string[] => named('dist/test/fuzz/targets', '.js')

/** Targets for libFuzzer, by file: test/fuzz/native/NAME.cc. */
export const nativeTargets = (): string[] => named('test/fuzz/native', '.cc')

const named = (folder: string, ending: string): string[] =>
  readdirSync(folder)
    .filter(name => name.endsWith(ending))
    .map(name => name.slice(0, -ending.length))
    .sort()
