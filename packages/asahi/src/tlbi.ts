/**
 * TLB invalidation of Apple's GPU: the operands of broadcast instructions, and what those operands really cover.
 *
 * The GPU's TLB listens to the CPU's broadcast TLB instructions, with the context slot of a VM as ASID. One page has an
 * instruction of its own. A range is told as `(NUM + 1) << (5 * SCALE + 1)` pages of 16 KiB: five bits of mantissa and two
 * of exponent, so that most lengths are rounded up, and one instruction ends at 2^21 pages (32 GiB). A longer range
 * needs several.
 *
 * @module
 */

/** Form of an instruction: one page, or a range. */
export type TlbiForm = "page" | "range";

/** An instruction, taken apart again. The driver model reuses one object. */
export interface TlbiReach {
  /** Context slot, 0..63. */
  asid: number;
  /** First VA, below 2^51. */
  va: number;
  /** Bytes, a multiple of 16 KiB. */
  bytes: number;
}

/**
 * Receives one instruction.
 *
 * @param form - which of the two instructions
 * @param high - bits 63:32 of the operand, as a signed 32-bit number
 * @param low - bits 31:0 of the operand, as a signed 32-bit number
 */
export type TlbiSink = (form: TlbiForm, high: number, low: number) => void;

const PAGE_BYTES = 16384;
// The operators on 32-bit numbers take an operand modulo 2^32 by themselves.
const TWO_32 = 4294967296;
/** Bits 47:46 of a range operand, in its high word: the granule is 16 KiB. */
const GRANULE_16K = 2 << 14;
const MANTISSA_MAX = 32;
/** Fifteen pairs of pages: one more, and lengths have an exponent. */
const EXACT_BYTES: number = 15 * 2 * PAGE_BYTES;

/**
 * Encode the invalidation of a range as the driver does (the downstream asahi driver, branches of 2025).
 *
 * @param asid - context slot, 0..63
 * @param va - first VA, a multiple of 16 KiB
 * @param bytes - length; the end is rounded up to a page, 0 issues nothing
 * @param stuckStart - true for the driver's defect: in a range above 32 GiB every instruction names the same first page
 * @param sink - receives the instructions in order
 */
export function encodeTlbi(
  asid: number,
  va: number,
  bytes: number,
  stuckStart: boolean,
  sink: TlbiSink,
): void {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages === 0) return;
  if (pages === 1) {
    // VA bits 55:12 stand at bits 43:0, with the two bits below the granule cleared.
    const index = va / 4096;
    sink("page", (asid << 16) | ((index / TWO_32) & 0xfff), index & ~3);
    return;
  }
  const pairs = Math.ceil(pages / 2);
  const scale = Math.min(3, Math.floor(bitLength(pairs) / 5));
  const unit = 1 << (5 * scale);
  let mantissa = Math.ceil(pairs / unit);
  let start = Math.floor(va / PAGE_BYTES);
  while (mantissa > MANTISSA_MAX) {
    range(asid, scale, MANTISSA_MAX - 1, start, sink);
    mantissa -= MANTISSA_MAX;
    if (!stuckStart) start += MANTISSA_MAX * unit * 2;
  }
  range(asid, scale, mantissa - 1, start, sink);
}

/**
 * Whether {@link encodeTlbi} issues one instruction that covers a range to the byte, as far as that is told at a glance: for a page,
 * and for pairs of pages that need no exponent.
 *
 * @param bytes - length
 */
export function isExactTlbi(bytes: number): boolean {
  return bytes === PAGE_BYTES || (bytes <= EXACT_BYTES && (bytes & (2 * PAGE_BYTES - 1)) === 0);
}

function range(asid: number, scale: number, num: number, start: number, sink: TlbiSink): void {
  const high = (asid << 16) | GRANULE_16K | (scale << 12) | (num << 7) | ((start / TWO_32) & 0x1f);
  sink("range", high, start | 0);
}

function bitLength(value: number): number {
  return value < TWO_32 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / TWO_32);
}

/**
 * What an instruction invalidates.
 *
 * @param form - which of the two instructions
 * @param high - bits 63:32 of the operand
 * @param low - bits 31:0 of the operand
 * @param out - receives the answer
 */
export function decodeTlbi(form: TlbiForm, high: number, low: number, out: TlbiReach): void {
  out.asid = high >>> 16;
  if (form === "page") {
    out.va = ((high & 0xfff) * TWO_32 + (low >>> 0)) * 4096;
    out.bytes = PAGE_BYTES;
    return;
  }
  out.va = ((high & 0x1f) * TWO_32 + (low >>> 0)) * PAGE_BYTES;
  out.bytes = (((high >>> 7) & 0x1f) + 1) * (1 << (5 * ((high >>> 12) & 3) + 1)) * PAGE_BYTES;
}
