/**
 * SHA-256 (FIPS 180-4), because vectors carry digests and packages depend on nothing.
 *
 * @module
 */

/** Fractional parts of the roots of the first primes: the constants of the standard. */
function primeRoots(count: number, power: number): Int32Array {
  const out = new Int32Array(count);
  for (let n = 2, i = 0; i < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (prime) out[i++] = ((n ** power % 1) * 2 ** 32) | 0;
  }
  return out;
}

const K = primeRoots(64, 1 / 3);
const H = primeRoots(8, 1 / 2);

/** Bytes that are gathered before they are taken in: whole blocks. */
const GATHERED = 4096;
/** Bytes of a block; there is room for one behind them, for a number that goes beyond or for the end. */
const BLOCK = 64;

/** The digest of a text in ASCII that is written piece by piece. */
export class Sha256 {
  readonly #state: Int32Array = H.slice();
  readonly #words: Int32Array = new Int32Array(64);
  readonly #bytes: Uint8Array = new Uint8Array(GATHERED + BLOCK);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  /** Gathered bytes. */
  #at = 0;
  /** Bytes that were taken in. */
  #taken = 0;

  /** @param text - what comes next */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      this.#bytes[this.#at++] = text.charCodeAt(i);
      if (this.#at >= GATHERED) this.#takeIn();
    }
  }

  /**
   * A number comes next, in lower-case hex without zeros in front: as digits, since strings of hundreds of thousands of numbers cost
   * more than their digest.
   *
   * @param high - upper 32 bits of it
   * @param low - lower 32 bits
   */
  hex(high: number, low: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    let bit = high === 0 ? -4 : 28 - (Math.clz32(high) & 28);
    for (; bit >= 0; bit -= 4) bytes[at++] = hexDigit((high >>> bit) & 15);
    bit = high === 0 && low !== 0 ? 28 - (Math.clz32(low) & 28) : high === 0 ? 0 : 28;
    for (; bit >= 0; bit -= 4) bytes[at++] = hexDigit((low >>> bit) & 15);
    this.#at = at;
    if (at >= GATHERED) this.#takeIn();
  }

  /** @returns 64 lower-case hex digits; nothing may be written any more */
  digest(): string {
    const bits = (this.#taken + this.#at) * 8;
    this.#bytes[this.#at] = 0x80;
    // The length stands in the last 8 bytes of a block.
    const end = Math.ceil((this.#at + 9) / BLOCK) * BLOCK;
    this.#bytes.fill(0, this.#at + 1, end);
    this.#view.setUint32(end - 8, bits / 2 ** 32);
    this.#view.setUint32(end - 4, bits);
    this.#blocks(end);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #takeIn(): void {
    this.#blocks(GATHERED);
    this.#bytes.copyWithin(0, GATHERED, this.#at);
    this.#at -= GATHERED;
    this.#taken += GATHERED;
  }

  #blocks(end: number): void {
    for (let at = 0; at < end; at += BLOCK) {
      for (let i = 0; i < 16; i++) this.#words[i] = this.#view.getInt32(at + i * 4);
      compress(this.#state, this.#words);
    }
  }
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/**
 * @param pieces - of a text in ASCII, one behind the other
 * @returns 64 lower-case hex digits
 */
export function sha256(pieces: Iterable<string>): string {
  const digest = new Sha256();
  for (const piece of pieces) digest.text(piece);
  return digest.digest();
}

function rotate(x: number, bits: number): number {
  return (x >>> bits) | (x << (32 - bits));
}

function compress(state: Int32Array, w: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const near = w[i - 2] as number;
    const far = w[i - 15] as number;
    const s0 = rotate(far, 7) ^ rotate(far, 18) ^ (far >>> 3);
    const s1 = rotate(near, 17) ^ rotate(near, 19) ^ (near >>> 10);
    w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1;
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (K[i] as number) + (w[i] as number)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
  state[4] = (state[4] as number) + e;
  state[5] = (state[5] as number) + f;
  state[6] = (state[6] as number) + g;
  state[7] = (state[7] as number) + h;
}
