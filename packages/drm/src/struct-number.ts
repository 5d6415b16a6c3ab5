/**
 * The numbers of structs: little-endian and unsigned, of 1 to 8 bytes.
 *
 * @module
 */

import { badNumber } from "./encode-error.ts";

/**
 * Read a little-endian u64.
 *
 * @param view - memory
 * @param at - byte offset
 * @returns the value, NaN when a double cannot hold it exactly
 */
export function readU64(view: DataView, at: number): number {
  const low = view.getUint32(at, true);
  const value = view.getUint32(at + 4, true) * 4294967296 + low;
  // A double loses its low bits first.
  return value >>> 0 === low ? value : Number.NaN;
}

const PER_4_GIB: number = 2 ** -32;

/**
 * Write a little-endian u64.
 *
 * @param view - memory
 * @param at - byte offset
 * @param value - an integer from 0 up to and without 2^64
 * @throws `EncodeError` for anything else
 */
export function writeU64(view: DataView, at: number, value: number): void {
  // The comparisons alone would let a bigint through to Math.floor.
  if (!(typeof value === "number" && value >= 0 && value < 2 ** 64 && Math.floor(value) === value)) {
    throw badNumber(64, value);
  }
  // `| 0` takes the low half of an integer, whatever it is above; a remainder would take ten times as long.
  view.setInt32(at, value | 0, true);
  view.setInt32(at + 4, (value * PER_4_GIB) | 0, true);
}

/** @internal */
export function readNumber(view: DataView, at: number, size: number): number {
  if (size === 8) return readU64(view, at);
  if (size === 4) return view.getUint32(at, true);
  return size === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

/** @internal */
export function writeNumber(view: DataView, at: number, size: number, value: number): void {
  if (size === 8) {
    writeU64(view, at, value);
    return;
  }
  // Bits that get lost leave another number, and NaN is no number's equal. A power of two as the bound would take longer than all the rest.
  const kept =
    typeof value !== "number" ? Number.NaN : size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  if (kept !== value) throw badNumber(8 * size, value);
  if (size === 4) view.setUint32(at, value, true);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}

/** @internal */
export function writeZeroes(view: DataView, at: number, size: number): void {
  let done = 0;
  for (; size - done >= 4; done += 4) view.setUint32(at + done, 0, true);
  for (; done < size; done++) view.setUint8(at + done, 0);
}
