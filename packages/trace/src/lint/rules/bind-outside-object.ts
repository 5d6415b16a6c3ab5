/**
 * A bind reaches beyond the end of its object.
 *
 * @module
 */

import { hex, size } from "@vmbind/drm";
import { objectName } from "../../space/piece.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const bindOutsideObject: LintRule = {
  id: "bind-outside-object",
  title: "a bind reaches beyond the end of its object",
  category: "correctness",
  severity: "error",
  what: "A map of memory whose offset and length reach beyond the object that it names. Operations that map one page or one window over and over are left alone.",
  why: "There is no memory behind the end. Drivers refuse the whole call, and every other operation of the array is lost with it.",
  advice:
    "offset + length must not exceed the object's size; look for an offset that is a page off, or a length of the resource where that of the bind was meant",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x200000 64KiB object 1 + 0x1000 refused "bo_offset: beyond the object"`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x200000 60KiB object 1 + 0x1000
unmap 0x200000 2MiB`,
  },
  start: (context) => ({
    call({ action, ref }) {
      if (action.kind !== "bind") return;
      for (const [i, op] of action.ops.entries()) {
        const object = context.world.object(ref.file, op.handle);
        const says = op.sparse?.says;
        if (object === null || op.effect !== "map" || says === "unbound" || says === "uncover") continue;
        const beyond = op.offset + op.range - object.size;
        if (!(beyond > 0)) continue;
        const at = { ...ref, op: i, ops: action.ops.length, addr: op.addr, end: op.addr + op.range };
        const finding = context.report({
          at,
          addr: op.addr,
          range: op.range,
          text: `maps ${objectName(object)} + ${hex(op.offset)}, ${size(op.range)}: ${size(beyond)} beyond its end (it has ${size(object.size)})`,
          related: [{ at: object.made, text: `makes ${objectName(object)}` }],
        });
        context.explain(finding, ref);
      }
    },
  }),
};
