import { createInterface } from 'node:readline'

/**
 * The machine at the other end of the wire, as scripts/vm/hosts.ts lets a test have it: an order is a line of output that TAP
 * takes for a comment, and its execution a line of input.
 */
const input = createInterface({ input: process.stdin })
const answers = input[Symbol.asyncIterator]()

async function order(words: string): Promise<void> {
  console.log(`#lab ${words}`)
  const answer = (await answers.next()).value
  if (answer !== 'done 0') throw new Error(`the other machine answers '${words}' with '${answer}'`)
}

/** Runs a command for the shell there. */
export const runThere = (command: string): Promise<void> => order(`run ${command}`)

/** Pulls its plug; it does not come back. */
export const cutThere = (): Promise<void> => order('cut')

export const leave = (): void => input.close()
