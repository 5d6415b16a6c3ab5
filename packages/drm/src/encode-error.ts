/**
 * What writing a struct says of a value that does not fit: struct, member and rule, however deep the member lies.
 *
 * The path is put together on the way out, so that writing what fits costs nothing for it.
 *
 * @module
 */

/** A value that does not fit its member of a struct: `drm_panthor_vm_bind_op.va: -1 is not an integer from 0 to 2^64 - 1`. */
export class EncodeError extends RangeError {
  /** The member, from the struct on: `.va`, `.ops.count`, `.pad[2]`; empty for a value that stands alone. */
  readonly member: string;
  /** What is wrong with the value. */
  readonly rule: string;

  /**
   * @param holder - what the member is of; the C name of a struct, `ops[5]`
   * @param member - see {@link EncodeError.member}
   * @param rule - what is wrong with the value
   */
  constructor(holder: string, member: string, rule: string) {
    super(`${holder}${member}: ${rule}`);
    this.name = "EncodeError";
    this.member = member;
    this.rule = rule;
  }
}

/**
 * Why a value is not the number that its member takes.
 *
 * @param bits - of the unsigned member
 * @param value - the value
 * @internal
 */
export function badNumber(bits: number, value: unknown): EncodeError {
  const rule = `is not an integer from 0 to 2^${bits} - 1`;
  if (typeof value === "bigint") {
    // The sign of a negative one goes before the prefix.
    const hex = value < 0n ? `-0x${(-value).toString(16)}n` : `0x${value.toString(16)}n`;
    return new EncodeError(`u${bits}`, "", `${hex} is a bigint; a u${bits} is a plain number`);
  }
  if (typeof value === "number") return new EncodeError(`u${bits}`, "", `${value} ${rule}`);
  const kind = value === null ? "null" : `a value of type ${typeof value}`;
  return new EncodeError(`u${bits}`, "", `${kind} ${rule}`);
}

/**
 * The error of a part of something larger.
 *
 * @param holder - what the part is of
 * @param part - `.va`, `[2]`
 * @param error - what was thrown while the part was written
 * @returns the same error where it is no {@link EncodeError}
 * @internal
 */
export function within(holder: string, part: string, error: unknown): unknown {
  return error instanceof EncodeError ? new EncodeError(holder, part + error.member, error.rule) : error;
}

/** @internal */
export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** @internal */
export function isList(value: ArrayLike<unknown>, length: number): boolean {
  return isObject(value) && value.length === length;
}

/** What was given where a list, or a struct, belongs. @internal */
export function countOf(value: unknown): string {
  if (!isObject(value)) return value === null ? "null" : `a value of type ${typeof value}`;
  return "length" in value ? `${value.length}` : "an object without a length";
}
