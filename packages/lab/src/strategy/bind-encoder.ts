/**
 * A driver's own operations, for those who have them as data and not in a program that is typed.
 *
 * @module
 */

import type { IoctlCall, NamedBindOp } from "@vmbind/drm";

/** A driver's bind operations as objects, for those who have them as data. */
export interface BindEncoder {
  /** What each operation has to give and may give, by its name. */
  readonly forms: Readonly<Record<string, Readonly<Record<"needs" | "takes", readonly string[]>>>>;
  /**
   * @param ops - operations for the session's VM
   * @returns the ioctls that the driver's `vmBind` would issue for them
   * @throws `EncodeError` naming the operation, the member and the rule
   */
  encode(ops: readonly NamedBindOp[]): readonly IoctlCall[];
}
