/** Gives an object that exists already the private fields of a class that is derived from it. */
class Existing {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this is what the class is for
    return object
  }
}

/**
 * Where a Buffer was handed out and by whom, written into the Buffer itself: nobody can forge it or see it, and it costs a fifth
 * of an entry in a WeakMap.
 */
export class Stamp extends Existing {
  readonly #owner: object
  #offset: number

  private constructor(buffer: Uint8Array, owner: object, offset: number) {
    super(buffer)
    this.#owner = owner
    this.#offset = offset
  }

  static put(buffer: Uint8Array, owner: object, offset: number): void {
    new Stamp(buffer, owner, offset)
  }

  /** The offset; 0 once it was freed, undefined for anything that this owner did not hand out. */
  static read(buffer: unknown, owner: object): number | undefined {
    if (typeof buffer !== 'object' || buffer === null || !(#owner in buffer)) return undefined
    return buffer.#owner === owner ? buffer.#offset : undefined
  }

  /** Of a Buffer that was just read. */
  static clear(buffer: object): void {
    if (#offset in buffer) buffer.#offset = 0
  }
}
