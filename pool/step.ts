/** Something that a command is about to do. What is announced and what is done is one thing, so that a dry run cannot lie. */
export interface Step {
  /** In one line; holds in a dry run and in the act. */
  readonly text: string
  readonly act: () => Promise<void>
}

export interface StepOptions {
  /** Announce, and do nothing. */
  readonly dryRun?: boolean
  /** Called before each step. */
  readonly onStep?: (text: string) => void
}

/** Announces each step, and does it unless it is a dry run. Resolves with what was announced. */
export async function perform(
  steps: readonly Step[],
  { dryRun = false, onStep }: StepOptions,
): Promise<readonly string[]> {
  for (const { text, act } of steps) {
    onStep?.(text)
    if (!dryRun) await act()
  }
  return steps.map(({ text }) => text)
}
