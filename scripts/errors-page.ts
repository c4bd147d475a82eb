import { type CatalogueEntry, catalogue, errno } from '../core/index.js'

const names = Object.fromEntries(Object.entries(errno).map(([name, value]) => [value, name]))

const section = ([code, entry]: [string, CatalogueEntry]): string => {
  const errnoLine = entry.errno === undefined ? '' : `\n\nerrno: ${names[entry.errno]} (${entry.errno})`
  return `## ${code}\n\n${entry.meaning}\n\n${entry.remedy}${errnoLine}\n`
}

/** docs/errors.md, from the catalogue. */
export const errorsPage = (): string => `# Errors

Every operating error is an \`RpmemError\` with one of these codes; compare \`code\`, never the text. The message says what
happened here, \`cause\` leads down to the errno, the fi_errno or the remote stderr, \`facts\` holds the values. Where a
persist is concerned, \`durability\` says what is certain. \`rpmem explain CODE\` prints the same on a terminal.

This page is written by \`npm run docs\` from core/catalogue.ts; do not edit it.

${Object.entries(catalogue).map(section).join('\n')}`
