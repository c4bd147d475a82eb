import { RpmemError, signatureSize } from '../core/index.js'

/** Text of printable ASCII, or raw bytes, of at most eight; padded with NUL. */
export function toSignature(signature: string | Uint8Array): Uint8Array {
  const bytes = typeof signature === 'string' ? Buffer.from(signature, 'utf8') : signature
  const readable = typeof signature !== 'string' || /^[\x20-\x7e]+$/.test(signature)
  if (bytes.length > signatureSize || bytes.length === 0 || !readable) {
    throw new RpmemError('ERR_ARGUMENT', 'a signature is 1 to 8 ASCII characters or bytes', {
      facts: { argument: 'signature', length: bytes.length },
    })
  }
  const padded = new Uint8Array(signatureSize)
  padded.set(bytes)
  return padded
}
