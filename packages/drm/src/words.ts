/**
 * Addresses, sizes and counts in words, the same in every reason, story and table.
 *
 * @module
 */

/**
 * @param value - an unsigned integer. One of 32 bits may come with the sign that `&` and `|` give it, and NaN stands for a u64
 * that no double holds, see `readU64`
 * @returns `0x1f000`, or `a value above 2^53`
 */
export function hex(value: number): string {
  if (Number.isNaN(value)) return "a value above 2^53";
  return `0x${(value < 0 ? value >>> 0 : value).toString(16)}`;
}

/**
 * @param value - an unsigned integer, NaN as in {@link hex}
 * @returns `126976`, or `a value above 2^53`
 */
export function decimal(value: number): string {
  return Number.isNaN(value) ? "a value above 2^53" : String(value);
}

/**
 * A little-endian u64 as reasons name it, to the last bit.
 *
 * @param view - memory
 * @param at - byte offset
 * @returns `0x1f000`
 */
export function hexU64(view: DataView, at: number): string {
  return `0x${view.getBigUint64(at, true).toString(16)}`;
}

/**
 * @param addr - first byte
 * @param range - bytes
 * @returns `[0x1000, 0x3000)`
 */
export function span(addr: number, range: number): string {
  return `[${hex(addr)}, ${hex(addr + range)})`;
}

/**
 * @param bytes - a size
 * @returns in the largest binary unit that keeps it short, `2 MiB` or `95.4 MiB`
 */
export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/**
 * @param count - how many
 * @param noun - of one
 * @returns `1 mapping`, `2 mappings`, `2 entries`, `2 batches`
 */
export function counted(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  if (noun.endsWith("y")) return `${count} ${noun.slice(0, -1)}ies`;
  return `${count} ${noun}${noun.endsWith("ch") || noun.endsWith("s") ? "es" : "s"}`;
}
