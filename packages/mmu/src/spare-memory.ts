/**
 * Memory of devices that are gone, for those that come. A device makes its arrays larger step by step and copies them each time; who
 * makes one device after the other gives them back, and the next device begins with as much as the last one came to need.
 *
 * @module
 */

/** Larger ones would be kept for a need that may not come again. */
const BYTES_MAX = 2 ** 23;
/** As many devices as are mostly there at a time: one, and another to compare it with. */
const COUNT_MAX = 2;

/** Buffers for one purpose, that of whoever made it. */
export class SpareMemory {
  readonly #buffers: ArrayBuffer[] = [];

  /**
   * @param bytes - that the buffer has at least
   * @returns a buffer, all zero but for what {@link SpareMemory.keep} was not told to clear
   */
  take(bytes: number): ArrayBuffer {
    const last = this.#buffers.pop();
    return last !== undefined && last.byteLength >= bytes ? last : new ArrayBuffer(bytes);
  }

  /**
   * Keep a buffer for whoever comes, unless it is too large or there are enough of them.
   *
   * @param buffer - that nobody uses any more
   * @param used - bytes from the start to clear: those that may be other than zero, or 0 where whoever takes it does not mind
   */
  keep(buffer: ArrayBuffer, used: number): void {
    if (buffer.byteLength > BYTES_MAX || this.#buffers.length === COUNT_MAX) return;
    new Uint8Array(buffer, 0, used).fill(0);
    this.#buffers.push(buffer);
  }
}
