/**
 * One field of an entry, as a format names it: data for `describeEntry`, beside the masks that the walker reads. Both are built from
 * what the same manual or driver says, and tests hold one against the other.
 */

/** A field of an entry: some bits that lie side by side. */
export interface EntryField {
  /** As the manual or the driver calls it, e.g. `AP[2:1]`. */
  readonly name: string;
  /** Highest bit, 0..63. */
  readonly top: number;
  /** Lowest bit. */
  readonly bottom: number;
  /**
   * What a value means, in a few words; left out for an address, which is told from the whole entry.
   *
   * @param value - of the field, unsigned
   */
  readonly means?: (value: number) => string;
}

/** @returns a field of one bit, with what it means when clear and when set */
export function flag(name: string, bit: number, clear: string, set: string): EntryField {
  return { name, top: bit, bottom: bit, means: (value) => (value === 0 ? clear : set) };
}

/** @returns a field whose values are counted from 0; what is not in the list is reserved */
export function choice(name: string, top: number, bottom: number, values: readonly string[]): EntryField {
  return { name, top, bottom, means: (value) => values[value] ?? "reserved" };
}
