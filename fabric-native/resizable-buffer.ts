/** Of ECMAScript 2024; Node 20 has it, the types of the language level we compile for do not. */
export interface ResizableArrayBuffer extends ArrayBuffer {
  readonly maxByteLength: number
  resize(length: number): void
}

/** Shrinking is the one way to take a buffer away from all who hold a view of it. */
export const Resizable = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ResizableArrayBuffer
