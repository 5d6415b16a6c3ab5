/**
 * Bytes as lower-case hex digits, as the files write them.
 *
 * @module
 */

/** Value of each character code below 256 as a hex digit, 255 for others. */
const DIGITS: Uint8Array = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value;

/**
 * @param code - of a character, 0 to 255
 * @returns its value as a digit, above 15 when it is no lower-case hex digit
 */
export function hexDigit(code: number): number {
  return DIGITS[code] as number;
}

/**
 * @param text - ASCII
 * @param at - where the digits begin, two for each byte of `into`
 * @param into - gets the bytes
 * @returns whether all of them were lower-case hex digits; what `into` holds means nothing otherwise
 */
export function decodeHex(text: Uint8Array, at: number, into: Uint8Array): boolean {
  let all = 0;
  for (let i = 0, from = at; i < into.length; i++, from += 2) {
    const high = DIGITS[text[from] as number] as number;
    const low = DIGITS[text[from + 1] as number] as number;
    all |= high | low;
    into[i] = (high << 4) | low;
  }
  return all <= 15;
}

/**
 * @param text - two digits a byte
 * @returns the bytes, null when a character is no lower-case hex digit or a digit is left over
 */
export function bytesOf(text: string): Uint8Array | null {
  const bytes = new Uint8Array(text.length >>> 1);
  if (2 * bytes.length !== text.length) return null;
  for (let i = 0; i < bytes.length; i++) {
    const high = DIGITS[text.charCodeAt(2 * i)] ?? 255;
    const low = DIGITS[text.charCodeAt(2 * i + 1)] ?? 255;
    if ((high | low) > 15) return null;
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

const PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * @param bytes - any
 * @returns two lower-case digits a byte
 */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += PAIRS[byte];
  return text;
}
