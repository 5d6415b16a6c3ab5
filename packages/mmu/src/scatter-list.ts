/**
 * A scatter list says where the bytes of a buffer object are: an ordered list of physically contiguous segments.
 * Three parallel arrays, so that a driver's mapping loop reads numbers and allocates nothing.
 */

import { hexAddress } from "./address.ts";

/** One physically contiguous piece of memory. */
export interface Segment {
  /** Physical address of its first byte. */
  readonly pa: number;
  /** Its length in bytes, above 0. */
  readonly bytes: number;
}

/** The physical segments of a buffer object, in the order of its bytes. Immutable. */
export class ScatterList {
  /** Number of segments. */
  readonly count: number;
  /** Physical address of each segment. */
  readonly pa: Float64Array;
  /** Length of each segment in bytes. */
  readonly bytes: Float64Array;
  /** Offset in the object of each segment's first byte; ascending, starting with 0. */
  readonly offset: Float64Array;
  /** Length of all segments in bytes. */
  readonly totalBytes: number;

  /**
   * Takes the two arrays over, without copying them.
   * @throws Error when a segment is empty or negative, or the arrays differ in length.
   */
  constructor(pa: Float64Array, bytes: Float64Array) {
    if (pa.length !== bytes.length)
      throw new Error(`ScatterList: ${pa.length} addresses, ${bytes.length} lengths`);
    const offset = new Float64Array(pa.length);
    let total = 0;
    for (let i = 0; i < pa.length; i++) {
      const length = bytes[i] as number;
      if (!(length > 0) || !((pa[i] as number) >= 0)) {
        throw new Error(`ScatterList: segment ${i} is ${hexAddress(pa[i] as number)}+${hexAddress(length)}`);
      }
      offset[i] = total;
      total += length;
    }
    this.count = pa.length;
    this.pa = pa;
    this.bytes = bytes;
    this.offset = offset;
    this.totalBytes = total;
  }

  /**
   * A list of the given segments, at any physical addresses, kept as they are (neighbours are not merged).
   * @throws Error when a segment is empty or negative.
   */
  static of(segments: readonly Segment[]): ScatterList {
    return new ScatterList(
      Float64Array.from(segments, (segment) => segment.pa),
      Float64Array.from(segments, (segment) => segment.bytes),
    );
  }

  /**
   * Index of the segment that holds byte `offset` of the object, or -1 when it lies outside. O(log count), and at once where all
   * segments have one length, as single pages have.
   */
  segmentAt(offset: number): number {
    if (!(offset >= 0 && offset < this.totalBytes)) return -1;
    const { count, offset: starts } = this;
    if (count === 1) return 0;
    const guess = Math.floor((offset * count) / this.totalBytes);
    if (guess < count - 1 && (starts[guess] as number) <= offset && offset < (starts[guess + 1] as number))
      return guess;
    let low = 0;
    let high = count;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Physical address of byte `offset` of the object, or NaN when it lies outside. */
  addressAt(offset: number): number {
    const i = this.segmentAt(offset);
    return i < 0 ? Number.NaN : (this.pa[i] as number) + (offset - (this.offset[i] as number));
  }
}
