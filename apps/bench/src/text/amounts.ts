/**
 * Numbers as people write them on a command line: `24415`, `100e6`, `0x1000`, and for bytes `64MiB`, `1G`, `1.5 GB`.
 *
 * K, M, G and T alone are powers of 1024, as those who write page tables mean them; kB, MB, GB and TB are powers of 1000.
 *
 * @module
 */

/** How numbers can be written, for help. */
export const BYTES_FORMS = "65536, 100e6, 0x1000, 64K, 64MiB (K, M, G, T: 1024s) or 100MB (1000s)";

const UNITS: ReadonlyMap<string, number> = new Map(
  ["k", "m", "g", "t"].flatMap((letter, i) => [
    [letter, 1024 ** (i + 1)],
    [`${letter}ib`, 1024 ** (i + 1)],
    [`${letter}b`, 1000 ** (i + 1)],
  ]),
);

/**
 * @param text - what was typed
 * @returns the whole number that it stands for; NaN when it is none, or not exact
 */
export function wholeOf(text: string): number {
  if (/^0x[0-9a-f]+$/i.test(text)) return exact(Number(text));
  if (!/^[0-9]+(?:\.[0-9]+)?(?:e\+?[0-9]{1,2})?$/i.test(text)) return Number.NaN;
  return exact(Number(text));
}

/**
 * @param text - what was typed
 * @returns the number of bytes that it stands for; NaN when it is none, or not a whole number of bytes
 */
export function bytesOf(text: string): number {
  const [, number = "", unit = ""] = /^([0-9.]+) ?([a-z]+)$/i.exec(text) ?? [];
  if (unit === "" || unit.toLowerCase() === "e") return wholeOf(text);
  if (!/^[0-9]+(\.[0-9]+)?$/.test(number)) return Number.NaN;
  if (unit.toLowerCase() === "b") return wholeOf(number);
  return exact(Number(number) * (UNITS.get(unit.toLowerCase()) ?? Number.NaN));
}

function exact(number: number): number {
  return Number.isSafeInteger(number) ? number : Number.NaN;
}
