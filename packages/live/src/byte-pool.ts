/**
 * Short-lived byte arrays. V8 gets memory for each typed array above 64 bytes apart, which takes a microsecond: as long as all else
 * that the server does for a small ioctl. Here they are pieces of larger ones, as Node's buffers are.
 *
 * @module
 */

const POOL_BYTES = 0x1_0000;
/** Longer ones would leave too much of a pool unused. */
const LARGEST = 0x2000;

let pool: ArrayBuffer = new ArrayBuffer(POOL_BYTES);
let used = 0;

/**
 * @param length - in bytes
 * @returns bytes of any value, of which nobody else has any; their buffer is longer than they are
 */
export function takeBytes(length: number): Uint8Array {
  if (length > LARGEST) return new Uint8Array(length);
  if (used + length > POOL_BYTES) {
    pool = new ArrayBuffer(POOL_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(pool, used, length);
  used += (length + 7) & ~7;
  return bytes;
}

/** @returns the same bytes again, as {@link takeBytes} gives them */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = takeBytes(bytes.length);
  copy.set(bytes);
  return copy;
}
