/**
 * The facts of a header, read one by one with their rules. A lens asks for what its device needs; an answer is never
 * undefined unless the fact may be left out, and what breaks a rule names the field.
 *
 * @module
 */

import { QUIRK_PROFILES, type Quirks, type QuirkTable, quirksOf, RECORDED_PROFILE } from "@vmbind/drm";
import { FRAGMENTATIONS, type Fragmentation, type FrameOptions, systemMemory } from "@vmbind/mmu";
import { InputError } from "./input-error.ts";
import { valueInWords } from "./words.ts";

/** What a header says of a device's memory, as an option of the device. */
export interface MemoryChoice {
  /** Absent where it says nothing. */
  memory?: MemoryLimits;
}

/** How much there is. */
export interface MemoryLimits {
  /** Most bytes of page tables. */
  tableLimitBytes?: number;
  /** System memory. */
  frames?: FrameOptions;
}

/** System memory comes in pages of up to 2 MiB, and ends where every page table still reaches it. */
const SYSTEM_UNIT = 2 ** 21;
const SYSTEM_MOST = 2 ** 44;

/** Reads the members of a header, or of an object in it. */
export class HeaderReader {
  readonly #path: string;
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #prefix: string;

  /**
   * @param path - of the trace, for errors
   * @param values - the header, or an object in it
   * @param prefix - what errors put in front of a member's name; `header.` unless given
   */
  constructor(path: string, values: Readonly<Record<string, unknown>>, prefix = "header.") {
    this.#path = path;
    this.#values = values;
    this.#prefix = prefix;
  }

  /**
   * @param name - of a member
   * @param rule - that it breaks
   * @throws {@link InputError} always
   */
  fail(name: string, rule: string): never {
    throw new InputError(this.#path, 1, `${this.#prefix}${name}: ${rule}`);
  }

  /**
   * @param name - of a member
   * @returns whether the header has it
   */
  has(name: string): boolean {
    return this.#at(name) !== undefined;
  }

  /**
   * @param name - of a member
   * @returns the text
   * @throws {@link InputError} for anything else
   */
  text(name: string): string {
    const value = this.#at(name);
    return typeof value === "string" ? value : this.#wrong(name, "a string");
  }

  /**
   * @param name - of a member
   * @returns the truth value
   * @throws {@link InputError} for anything else
   */
  flag(name: string): boolean {
    const value = this.#at(name);
    return typeof value === "boolean" ? value : this.#wrong(name, "true or false");
  }

  /**
   * @param name - of a member that a file writes as hex, `"0x4000"`
   * @returns its value; above 2^53 the nearest number
   * @throws {@link InputError} for anything but lower-case hex of up to 64 bits
   */
  hex(name: string): number {
    const text = this.text(name);
    return /^0x[0-9a-f]{1,16}$/.test(text)
      ? Number(text)
      : this.fail(name, "expected lower-case hex with 0x");
  }

  /**
   * @param name - of a member
   * @param min - least value
   * @param max - greatest value; none unless given
   * @returns the integer
   * @throws {@link InputError} for anything else
   */
  integer(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#at(name);
    if (typeof value !== "number") return this.#wrong(name, "a number");
    if (!Number.isInteger(value)) return this.fail(name, `expected an integer, got ${value}`);
    if (value < min) return this.fail(name, `expected ${min} or more, got ${value}`);
    if (value > max) return this.fail(name, `expected at most ${max}, got ${value}`);
    return value;
  }

  /**
   * @param name - of a member
   * @param values - that it may have
   * @returns the one that it has
   * @throws {@link InputError} for any other
   */
  oneOf<T extends string | number>(name: string, values: readonly T[]): T {
    const value = this.#at(name);
    const found = values.find((allowed) => allowed === value);
    return found ?? this.#wrong(name, values.map((one) => JSON.stringify(one)).join(" or "));
  }

  /**
   * How objects' memory is spread. Not in recordings: traces that `vmbind fuzz` writes may say it.
   *
   * @param name - of a member
   * @returns undefined where it is left out
   * @throws {@link InputError} for a kind that there is not
   */
  fragmentation(name: string): Fragmentation | undefined {
    return this.has(name) ? this.oneOf(name, FRAGMENTATIONS) : undefined;
  }

  /**
   * How much memory there is: of page tables, `table_limit_bytes`, which traces that `vmbind fuzz` writes may say, and of the system,
   * `system_memory_bytes`, as `vmbind live` writes it. Not in recordings of others.
   *
   * @param tableBytes - bytes of one table, the least limit
   * @returns options of a device's memory, none where both are left out
   * @throws {@link InputError} for anything but an integer from there on, and a multiple of 2 MiB
   */
  memory(tableBytes: number): MemoryChoice {
    const limits: MemoryLimits = {};
    if (this.has("table_limit_bytes")) limits.tableLimitBytes = this.integer("table_limit_bytes", tableBytes);
    if (this.has("system_memory_bytes")) {
      const bytes = this.integer("system_memory_bytes", SYSTEM_UNIT, SYSTEM_MOST);
      if (bytes % SYSTEM_UNIT !== 0)
        this.fail("system_memory_bytes", `expected a multiple of ${SYSTEM_UNIT}, got ${bytes}`);
      limits.frames = systemMemory(bytes);
    }
    return Object.keys(limits).length > 0 ? { memory: limits } : {};
  }

  /**
   * The defects that a device is to have, as a list of their names or as the name of a profile. Not in recordings, which are
   * held against the profile of what real drivers show; traces that `vmbind fuzz` writes may say them.
   *
   * @param table - the driver's quirks
   * @returns the quirks with the named ones on, those of {@link RECORDED_PROFILE} where the header names none
   * @throws {@link InputError} for a name that is no quirk, and for a profile that there is not
   */
  quirks<Name extends string>(table: QuirkTable<Name>): Readonly<Quirks<Name>> {
    if (!this.has("quirks")) return quirksOf(table, RECORDED_PROFILE);
    if (typeof this.#at("quirks") === "string") {
      return quirksOf(table, this.oneOf("quirks", QUIRK_PROFILES));
    }
    const names = new HeaderReader(this.#path, { ...this.#array("quirks") }, `${this.#prefix}quirks.`);
    const known = Object.keys(table);
    const on = new Set(this.#array("quirks").map((_, i) => names.oneOf(String(i), known)));
    return quirksOf(table, (_, name) => on.has(name));
  }

  /**
   * @param name - of a member that is an object
   * @returns a reader for it
   * @throws {@link InputError} for anything else
   */
  object(name: string): HeaderReader {
    const value = this.#at(name);
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return this.#wrong(name, "an object");
    return new HeaderReader(this.#path, { ...value }, `${this.#prefix}${name}.`);
  }

  /**
   * @param name - of a member that is a list of objects
   * @returns a reader for each
   * @throws {@link InputError} for anything else
   */
  list(name: string): HeaderReader[] {
    return this.#array(name).map((item, i) => {
      const prefix = `${this.#prefix}${name}.${i}`;
      if (typeof item !== "object" || item === null || Array.isArray(item)) {
        throw new InputError(this.#path, 1, `${prefix}: expected an object, got ${valueInWords(item)}`);
      }
      return new HeaderReader(this.#path, { ...item }, `${prefix}.`);
    });
  }

  /** Only what the file says: `constructor` is no member of a header that has none. */
  #at(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  #array(name: string): readonly unknown[] {
    const value = this.#at(name);
    return Array.isArray(value) ? value : this.#wrong(name, "a list");
  }

  #wrong(name: string, expected: string): never {
    const value = this.#at(name);
    if (value === undefined) this.fail(name, "is missing");
    this.fail(name, `expected ${expected}, got ${valueInWords(value)}`);
  }
}
