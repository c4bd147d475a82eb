import { assert } from '../core/index.js'
import {
  type ControlMessage,
  type ControlType,
  controlField,
  controlHeader,
  controlHeaderRule,
  controlTable,
  controlTypeOf,
  maxControlSize,
} from './control-table.js'
import type { Frame } from './framer.js'
import { violation } from './violation.js'

/** One frame: header and JSON body. A message that would pass 64 KiB is a bug of the sender. */
export function encodeControl(message: ControlMessage): Uint8Array {
  const { type, ...values } = message
  const body = Buffer.from(JSON.stringify(controlField(type).write(values as never)), 'utf8')
  const size = controlHeader.size + body.length
  assert(size <= maxControlSize, `a ${type} message fits a frame`)
  const target = new Uint8Array(size)
  target.set(controlHeader.encode({ type: controlTable[type].value, size }))
  target.set(body, controlHeader.size)
  return target
}

/** Reads a frame of the framer; whatever does not follow the table of its message is ERR_PROTOCOL, naming the field. */
export function decodeControl(frame: Frame): ControlMessage {
  const type = controlTypeOf(frame.type)
  const rule = controlHeaderRule(frame.type, frame.bytes.length)
  if (type === undefined || rule !== undefined) {
    throw violation('control message', rule ?? '', { type: frame.type, size: frame.bytes.length })
  }
  const values = controlField(type).read(parse(type, frame.bytes.subarray(controlHeader.size)), {
    message: type,
    field: '',
  })
  return { type, ...values } as ControlMessage
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parse(type: ControlType, body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    // No cause: the parser's message quotes the body, and the body may hold the secret of the session.
    throw violation(type, 'the body is JSON in UTF-8', { size: body.length })
  }
}
