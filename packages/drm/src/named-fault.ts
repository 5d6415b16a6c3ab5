/**
 * Which of its caller's arrays an ioctl did not find.
 *
 * Memory knows an address, and nothing of structs; the row of an ioctl knows which member points there. So whoever runs the row
 * puts the two together, once something is missing, and no handler has to.
 *
 * @module
 */

import { DrmError, EFAULT } from "./errno.ts";
import type { IoctlRow } from "./ioctl-row.ts";
import { readU64, type StructLayout, viewOf } from "./struct.ts";
import { headerName } from "./struct-text.ts";
import { arraysOf, type FoundArray } from "./user-array.ts";
import { UserFault, type UserSpace } from "./user-memory.ts";

/**
 * The same error with the member before it that points there.
 *
 * @param fault - what a handler threw
 * @param row - of the ioctl
 * @param arg - the argument struct
 * @param user - the memory behind it
 * @returns `ops[3]: user memory: ...`; the fault itself where no member points there
 */
export function namedFault(
  fault: UserFault,
  { arrays, layout }: Pick<IoctlRow<never>, "arrays" | "layout">,
  arg: Uint8Array,
  user: UserSpace,
): DrmError {
  const found = arraysOf(arrays, arg, (addr, length) => bytesAt(user, addr, length));
  // What is inside an element comes behind it, and is the closer name.
  const array = found.findLast((one) => holds(one, fault.addr));
  const name = array === undefined ? pointerTo(fault.addr, layout, arg) : nameIn(array, fault);
  return name === null ? fault : new DrmError(EFAULT, `${name}: ${fault.reason}`);
}

/** The member that has the address, where no array is known to begin there: a text, memory that is only looked at. */
function pointerTo(addr: number, layout: StructLayout<object> | null, arg: Uint8Array): string | null {
  // Zero stands in many members.
  if (addr === 0 || layout === null || arg.length < layout.size) return null;
  const view = viewOf(arg);
  const found = layout.members.find(
    ([, { shape, size, offset }]) => shape.kind === "number" && size === 8 && readU64(view, offset) === addr,
  );
  return found === undefined ? null : headerName(found[0]);
}

function bytesAt(user: UserSpace, addr: number, length: number): Uint8Array | null {
  try {
    const { buffer, byteOffset, byteLength } = user.view(addr, length);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    if (error instanceof UserFault) return null;
    throw error;
  }
}

function holds({ addr, count, stride }: FoundArray, at: number): boolean {
  return Object.is(addr, at) || (at >= addr && at < addr + count * stride);
}

/** The array where more than one element was asked for, else the element. */
function nameIn({ array, field, addr, count, stride }: FoundArray, fault: UserFault): string {
  if (array.element === null || count === 1 || !(fault.length <= stride)) return field;
  return `${field}[${Math.floor((fault.addr - addr) / stride)}]`;
}
