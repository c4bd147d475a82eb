import { assert } from '../core/index.js'
import { statusWord } from './pmdk-layout.js'

/** `RPM1` as a little-endian word: our daemon is ready and speaks the rpmem dialect. */
export const rpmemWord = 0x314d5052
const maxErrno = 4095

/** What the first four bytes of the daemon's standard output say. `rest` follows them and belongs to the dialect. */
export type FirstWord =
  | { readonly kind: 'pmdk'; readonly rest: Uint8Array }
  | { readonly kind: 'rpmem'; readonly rest: Uint8Array }
  /** The daemon failed to start; the session is over. */
  | { readonly kind: 'startup'; readonly errno: number; readonly rest: Uint8Array }
  /** Not rpmemd, or a shell that talks before it: everything received so far. */
  | { readonly kind: 'noise'; readonly bytes: Uint8Array }

/** Recognises the daemon by its first word, however the stream is split. */
export class FirstWordReader {
  #received = new Uint8Array(0)

  /** Bytes received while the word is not complete; text of a shell, if the stream ends there. */
  get received(): Uint8Array {
    return this.#received
  }

  /** Undefined until four bytes are there; not to be called again after an answer. */
  push(chunk: Uint8Array): FirstWord | undefined {
    assert(this.#received.length < statusWord.size, 'the first word is read once')
    this.#received = new Uint8Array(Buffer.concat([this.#received, chunk]))
    return this.#received.length < statusWord.size ? undefined : recognise(this.#received)
  }
}

function recognise(bytes: Uint8Array): FirstWord {
  const { value } = statusWord.decode(bytes)
  const rest = bytes.subarray(statusWord.size)
  if (value === 0) return { kind: 'pmdk', rest }
  if (value === rpmemWord) return { kind: 'rpmem', rest }
  return value > 0 && value <= maxErrno ? { kind: 'startup', errno: value, rest } : { kind: 'noise', bytes }
}

/** What the daemon writes first: its dialect, or the errno (1 … 4095) of a failed start. */
export function encodeFirstWord(word: 'pmdk' | 'rpmem' | { readonly errno: number }): Uint8Array {
  if (typeof word === 'string') return statusWord.encode({ value: word === 'pmdk' ? 0 : rpmemWord })
  assert(word.errno >= 1 && word.errno <= maxErrno, 'the errno of a failed start lies between 1 and 4095')
  return statusWord.encode({ value: word.errno })
}
