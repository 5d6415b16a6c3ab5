/**
 * Bytes of one struct with a view of them, to be used again and again: to make them costs more than to fill them.
 *
 * @module
 */

/** A struct's bytes. */
export interface StructCopy {
  /** All of them. */
  readonly bytes: Uint8Array;
  /** Shows the same bytes. */
  readonly view: DataView;
}

/**
 * @param size - bytes
 * @returns zeros
 */
export function structCopy(size: number): StructCopy {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}
