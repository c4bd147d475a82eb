import { struct, u16le, u32le, u64le } from '../core/index.js'

/**
 * In-band messages of the rpmem dialect: little-endian, every part a multiple of 8 bytes. A message names any number of
 * ranges, so that many persists travel, become durable and are answered together. The native half reads these tables
 * through fabric-native/src/layout.gen.h, which scripts/generate-layouts.ts writes.
 */
export const laneMessage = struct('lane message', 32, {
  kind: u16le,
  flags: u16le,
  /** How many entries follow, each at once followed by its data if it is inline, padded to 8 bytes unless it is last. */
  entries: u32le,
  /** Counts the messages of a lane from 1; the answer repeats it. */
  sequence: u64le,
  /** Of the whole message, this header included. */
  length: u64le,
  reserved: u64le,
})

/** One range to make durable. */
export const laneEntry = struct('lane entry', 24, {
  /** From pool offset 0. */
  offset: u64le,
  length: u64le,
  flags: u32le,
  reserved: u32le,
})

/** Answers come in the order of the messages; each speaks for the quiet ones before its message as well. */
export const laneAnswer = struct('lane answer', 24, {
  kind: u16le,
  flags: u16le,
  status: u32le,
  sequence: u64le,
  /** Of the target's storage, where the status is `storage`. */
  errno: u32le,
  reserved: u32le,
})

export const laneMessageKinds = { persist: 1, answer: 2 } as const

/**
 * A quiet message is not answered by itself: it is part of a range that goes on in the next one. A patient one carries a batch
 * whose answer nobody polls for.
 */
export const laneMessageFlags = { quiet: 1, patient: 2 } as const

/** Without `inline` the bytes were placed before by an RMA write on the same lane. */
export const laneEntryFlags = { inline: 1, deep: 2 } as const

export const laneAnswerStatus = { done: 0, storage: 1 } as const
