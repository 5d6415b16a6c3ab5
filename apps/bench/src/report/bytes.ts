/**
 * Sizes as the pages show them, made by the command and by the pages' scripts.
 *
 * @module
 */

/** More than any range that a command names: it names all addresses. */
const WHOLE_BYTES = 2 ** 47;

/**
 * @param bytes - that invalidations name
 * @param commands - how many invalidations
 * @returns `whole VM` where they name no range, or all addresses; null where the bytes say it
 */
export function invalidatedInWords(bytes: number, commands: number): string | null {
  return bytes >= WHOLE_BYTES || (bytes === 0 && commands > 0) ? "whole VM" : null;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/**
 * @param bytes - a size or a difference of sizes
 * @returns it in binary units with three digits, `95.4 MiB`
 */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits =
    value >= 100 || Number.isInteger(value) ? Math.round(value).toString() : value.toPrecision(3);
  return `${bytes < 0 ? "−" : ""}${digits} ${UNITS[unit]}`;
}
