import { createHmac } from 'node:crypto'
import { assert, bytes, type Random, struct, systemRandom, u32le } from '../core/index.js'

/** Bytes of the secret of a session. */
export const laneSecretSize = 32
export const laneTokenSize = 32

/** What travels in the private data of a connection request: which lane it will be, and the proof that it may. */
export const laneProof = struct('lane proof', 36, { lane: u32le, token: bytes(laneTokenSize) })

const laneNumber = struct('lane number', 4, { lane: u32le })

/** Made by the target for one session; handed over on the control channel, never logged. */
export const makeLaneSecret = (random: Random = systemRandom): Uint8Array => random.bytes(laneSecretSize)

/** HMAC-SHA256(secret, "rpmem lane" || lane as u32 LE). */
export function laneToken(secret: Uint8Array, lane: number): Uint8Array {
  assert(secret.length === laneSecretSize, `the secret of a session has ${laneSecretSize} bytes`)
  const mac = createHmac('sha256', secret).update('rpmem lane').update(laneNumber.encode({ lane }))
  return new Uint8Array(mac.digest())
}

/** Tokens of lanes 0 … lanes - 1. */
export const laneTokens = (secret: Uint8Array, lanes: number): Uint8Array[] =>
  Array.from({ length: lanes }, (_, lane) => laneToken(secret, lane))
