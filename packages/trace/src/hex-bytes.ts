/**
 * Bytes as lower-case hex digits, as the files write them.
 *
 * @module
 */

/** Value of each character code below 128 as a hex digit, 255 for others. */
const DIGITS: Uint8Array = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value;

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
