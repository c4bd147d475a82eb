import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** One operation as libfabric's TCP provider (xnet_proto.h, header version 3) puts it on the wire. */
export interface WireOperation {
  readonly from: 'initiator' | 'target'
  readonly kind: 'SEND' | 'WRITE' | 'READ' | 'READ data'
  readonly payload: Buffer
  /** Of RMA. */
  readonly address: bigint
  readonly length: bigint
}

const baseHeader = 16
const greeting = 32
const kinds = { 0: 'SEND', 2: 'READ', 3: 'READ data', 4: 'WRITE' } as const

/** A byte stream of one direction, cut into operations. */
class Direction {
  readonly #from: WireOperation['from']
  #rest = Buffer.alloc(0)
  #greeted = false

  constructor(from: WireOperation['from']) {
    this.#from = from
  }

  take(chunk: Buffer): WireOperation[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    if (!this.#greeted && !this.#takeGreeting()) return []
    const operations: WireOperation[] = []
    while (this.#rest.length >= baseHeader) {
      const size = Number(this.#rest.readBigUInt64LE(8))
      if (this.#rest.length < size) break
      operations.push(this.#operation(this.#rest.subarray(0, size)))
      this.#rest = this.#rest.subarray(size)
    }
    return operations
  }

  #takeGreeting(): boolean {
    if (this.#rest.length < greeting) return false
    const size = greeting + this.#rest.readUInt16BE(2)
    if (this.#rest.length < size) return false
    this.#rest = this.#rest.subarray(size)
    this.#greeted = true
    return true
  }

  #operation(frame: Buffer): WireOperation {
    const kind = kinds[frame.readUInt8(1) as keyof typeof kinds]
    const headerSize = frame.readUInt8(6)
    const rma = headerSize > baseHeader
    return {
      from: this.#from,
      kind,
      payload: Buffer.from(frame.subarray(headerSize)),
      address: rma ? frame.readBigUInt64LE(baseHeader) : 0n,
      length: rma ? frame.readBigUInt64LE(baseHeader + 8) : 0n,
    }
  }
}

/** Stands between the ends of lanes and writes down what they say, in the order of the connections' arrival. */
export class WireTap {
  readonly lanes: WireOperation[][] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(port: number) {
    this.#server = createServer(initiator => this.#splice(initiator, connect(port, '127.0.0.1')))
  }

  static async before(port: number): Promise<WireTap> {
    const tap = new WireTap(port)
    await new Promise<void>(resolve => tap.#server.listen(0, '127.0.0.1', resolve))
    return tap
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #splice(initiator: Socket, target: Socket): void {
    const heard: WireOperation[] = []
    this.lanes.push(heard)
    this.#pass(initiator, target, new Direction('initiator'), heard)
    this.#pass(target, initiator, new Direction('target'), heard)
  }

  #pass(source: Socket, sink: Socket, direction: Direction, heard: WireOperation[]): void {
    this.#sockets.add(source)
    source.on('data', chunk => {
      heard.push(...direction.take(Buffer.from(chunk)))
      sink.write(chunk)
    })
    source.on('close', () => sink.destroy())
    source.on('error', () => {})
  }
}
