/**
 * Names of a member's values, for people: which constants of the header a number is made of.
 *
 * A table stands beside its constants and is made of them, so that name and value cannot part. A value that the header
 * does not name is never hidden: it is printed as the number, with the prefix that its neighbours have.
 *
 * @example
 * ```ts
 * import { flagNames, nameValue, valueNames } from "@vmbind/drm";
 *
 * const OP_MAP = 0;
 * const OP_UNMAP = 0x10000000;
 * const MAP_READONLY = 1;
 * const MAP_NOEXEC = 2;
 * const ops = flagNames({ MAP_READONLY, MAP_NOEXEC }, { mask: 0xf0000000, values: { OP_MAP, OP_UNMAP } });
 * console.log(nameValue(ops, 3), nameValue(ops, 0x30000104)); // OP_MAP|MAP_READONLY|MAP_NOEXEC 0x30000000 (OP_???)|0x104
 * console.log(nameValue(valueNames({ OP_MAP, OP_UNMAP }), 7)); // 7 (OP_???)
 * ```
 *
 * @module
 */

/** What is known of a member's values. Numbers are unsigned and have at most 32 bits. */
export interface ValueNames {
  /** The bits that together hold one of {@link values}: all of them for an enumeration, 0 for flags alone. */
  readonly mask: number;
  /** Names of those values. */
  readonly values: ReadonlyMap<number, string>;
  /** What their names begin with, e.g. `OP_`. */
  readonly prefix: string;
  /** Names of single bits outside the mask. */
  readonly bits: readonly (readonly [bit: number, name: string])[];
}

/** Constants under their names, as `{ OP_MAP, OP_UNMAP }` gives them. */
export type Constants = Readonly<Record<string, number>>;

/** Some bits of a number that hold one of several values. */
export interface BitField {
  /** The bits. */
  readonly mask: number;
  /** The values, in place. */
  readonly values: Constants;
}

/**
 * A member that holds one of several values.
 *
 * @param constants - the values
 * @returns their names
 */
export function valueNames(constants: Constants): ValueNames {
  return { mask: 0xffffffff, ...named(constants), bits: [] };
}

/**
 * A member that holds flags, and perhaps a value in some of its bits.
 *
 * @param flags - the flags, one bit each
 * @param field - bits that hold one of several values
 * @returns their names
 */
export function flagNames(flags: Constants, field?: BitField): ValueNames {
  const bits = Object.entries(flags).map(([name, bit]) => [bit >>> 0, name] as const);
  return { mask: (field?.mask ?? 0) >>> 0, ...named(field?.values ?? {}), bits };
}

function named(constants: Constants): Pick<ValueNames, "values" | "prefix"> {
  const names = Object.keys(constants);
  let prefix = names[0] ?? "";
  while (!names.every((name) => name.startsWith(prefix))) prefix = prefix.slice(0, -1);
  return {
    values: new Map(Object.entries(constants).map(([name, value]) => [value >>> 0, name])),
    prefix: prefix.slice(0, prefix.lastIndexOf("_") + 1),
  };
}

/**
 * A value in the names of its header.
 *
 * @param names - what is known of it
 * @param value - the value, at most 32 bits; the sign is ignored
 * @returns for example `OP_MAP|MAP_READONLY|0x100`; unknown bits and values as numbers
 */
export function nameValue({ mask, values, prefix, bits }: ValueNames, value: number): string {
  const parts: string[] = [];
  if (mask !== 0) {
    const field = (value & mask) >>> 0;
    parts.push(values.get(field) ?? `${plain(field)} (${prefix}???)`);
  }
  let rest = (value & ~mask) >>> 0;
  for (const [bit, name] of bits) {
    if ((rest & bit) === 0) continue;
    parts.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  if (rest !== 0) parts.push(`0x${rest.toString(16)}`);
  return parts.length === 0 ? "0" : parts.join("|");
}

function plain(value: number): string {
  return value < 10 ? String(value) : `0x${value.toString(16)}`;
}
