import type { RpmemError } from '../core/index.js'
import type { Frame, FrameShape } from '../wire/index.js'
import type { Serving } from './serving.js'

/** What becomes of the session after a message. */
export type Verdict =
  | 'go on'
  /** The conversation ended as the protocol foresees: closed, or the pool could not be had. */
  | 'over'

/** How one dialect is spoken by the target; Session owns the stream, the dialogue what the messages mean. */
export interface Dialogue {
  readonly shape: FrameShape
  /** Initiators of this dialect give signs of life while they have a pool. */
  readonly pinged: boolean
  /** The pool in service, if there is one. */
  readonly serving: Serving | undefined
  /** The daemon's first words. */
  greet(): Promise<void>
  /** Answers a message that need not wait for those before it; false: it must. Does not throw for one that is well-formed. */
  interject(frame: Frame): boolean
  /** Acts on one message and answers it. Throws ERR_PROTOCOL for a message that breaks the rules. */
  answer(frame: Frame): Promise<Verdict>
  /** Tells the initiator, if the dialect has words for it, that it broke the rules. */
  reproach(error: RpmemError): void
}

/** Writes one frame to the initiator. A broken channel shows itself at the other end, as the end of the input. */
export type Send = (bytes: Uint8Array) => void
