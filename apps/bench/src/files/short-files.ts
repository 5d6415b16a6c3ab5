/**
 * Files that are read at one go.
 *
 * @module
 */

import { closeSync, openSync, readSync, statSync } from "node:fs";

/** Largest file that is read at one go, in bytes, and the most that it may unpack to: nearly all files of vectors and recordings. */
export const AT_ONCE_MAX: number = 4 * 2 ** 20;

/** Bytes that one of a gzip may unpack to. */
const DEFLATED_MOST = 1032;

/** @returns whether the bytes that a file begins with are those of a gzip */
export function isGzip(front: Uint8Array): boolean {
  return front[0] === 0x1f && front[1] === 0x8b;
}

/**
 * @param gzip - its last four bytes
 * @returns bytes that its last part unpacks to, modulo 2^32, as it says; nothing may rely on it
 */
export function saidLength(gzip: Uint8Array): number {
  return new DataView(gzip.buffer, gzip.byteOffset + gzip.byteLength - 4, 4).getUint32(0, true);
}

/**
 * Whether a file is likely to be read at one go.
 *
 * @param path - of the file
 * @throws the file system's error
 */
export function seemsShort(path: string): boolean {
  const { size } = statSync(path);
  if (size > AT_ONCE_MAX) return false;
  if (size * DEFLATED_MOST <= AT_ONCE_MAX) return true;
  const file = openSync(path, "r");
  try {
    const front = new Uint8Array(2);
    const last = new Uint8Array(4);
    readSync(file, front, 0, 2, 0);
    readSync(file, last, 0, 4, size - 4);
    return !isGzip(front) || saidLength(last) <= AT_ONCE_MAX;
  } finally {
    closeSync(file);
  }
}
