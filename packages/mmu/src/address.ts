/**
 * Physical addresses are plain numbers, descriptors are pairs of 32-bit halves. These functions are the only way
 * from one to the other. Halves are *signed* (int32), because values above 2^31 - 1 would leave the engine's small
 * integers and make every loop over entries three times slower.
 */

const TWO_32 = 4294967296;

/** Bits 31:0 of an address or size in bytes, as a signed half. */
export function addressLo(address: number): number {
  return address | 0;
}

/** Bits 63:32 of a non-negative address or size in bytes, as a signed half. */
export function addressHi(address: number): number {
  return (address / TWO_32) | 0;
}

/** The number that two halves make; exact below 2^53, and for page-aligned values below 2^64. */
export function addressOf(lo: number, hi: number): number {
  return (hi >>> 0) * TWO_32 + (lo >>> 0);
}

/** The 64-bit descriptor that two halves make: for tests and listings, not for hot code. */
export function descriptor(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** An address as errors print it. */
export function hexAddress(address: number): string {
  return `0x${address.toString(16)}`;
}
