/**
 * Operations that one operation could replace.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import type { OpChange } from "../../space/world.ts";
import type { LintRule } from "../rule.ts";

/** Operations that could be saved in a call, from which it is worth a word. */
const SAVED_LEAST = 7;

/** See the module. */
export const unjoinedOperations: LintRule = {
  id: "unjoined-operations",
  title: "many operations of a call that fewer would do",
  category: "cost",
  severity: "warning",
  what: "Operations of one array that follow each other in address, and in the object, with the same flags: eight where one would do. One finding for a trace, at the call that could save most. A window that is mapped over and over is another matter: no operation says that at once.",
  why: "Each operation is copied, checked, split and merged, and written on its own, often with a TLB invalidation of its own; and each leaves a mapping, which later operations have to pass and cut.",
  advice: "sort the list by address and join neighbours before the call",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
call
  bind 0x210000 8KiB object 1
  bind 0x212000 8KiB object 1 + 0x2000
  bind 0x214000 8KiB object 1 + 0x4000
  bind 0x216000 8KiB object 1 + 0x6000
  bind 0x218000 8KiB object 1 + 0x8000
  bind 0x21a000 8KiB object 1 + 0xa000
  bind 0x21c000 8KiB object 1 + 0xc000
  bind 0x21e000 8KiB object 1 + 0xe000
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unmap 0x200000 2MiB`,
  },
  start(context) {
    let worst: Parameters<typeof context.report>[0] | null = null;
    let worstSaved = 0;
    let operations = 0;
    let saved = 0;
    return {
      call({ changes, vm, ref }) {
        operations += changes.length;
        const [first] = changes;
        if (changes.length < 2 || vm === null || first === undefined) return;
        const could = joinable(changes);
        saved += could;
        if (could <= worstSaved) return;
        worstSaved = could;
        const { addr } = first.ref;
        const text = `sends ${counted(changes.length, "operation")} where ${changes.length - could} would do`;
        worst = { at: ref, vm: vm.id, addr, place: context.place(vm, addr), text };
      },
      end() {
        if (worst === null || worstSaved < SAVED_LEAST) return;
        const whole = `in the whole trace ${saved} of ${operations} could be left out`;
        context.report({ ...worst, text: `${worst.text}; ${whole}` });
      },
    };
  },
};

/** @returns how many operations join the one before them, once they are sorted by address */
function joinable(changes: readonly OpChange[]): number {
  const sorted = [...changes].sort((a, b) => a.ref.addr - b.ref.addr);
  let count = 0;
  for (const [i, change] of sorted.entries()) {
    const last = sorted[i - 1];
    if (last !== undefined && joins(last, change)) count++;
  }
  return count;
}

function joins(a: OpChange, b: OpChange): boolean {
  const alike = a.ref.end === b.ref.addr && a.op.heading === b.op.heading && a.op.flags === b.op.flags;
  if (!alike || a.op.range === 0 || a.op.effect === "unmap-at" || a.op.effect === "unmap-object")
    return false;
  if (a.op.sparse?.view !== b.op.sparse?.view || a.op.handle !== b.op.handle) return false;
  if (a.op.handle === 0 || a.op.effect === "unmap") return true;
  // One page that stands for any length goes on for longer; a window is an operation each time.
  if (a.op.sparse?.says === "unbound")
    return a.op.range > (a.object?.size ?? 0) && b.op.range > (b.object?.size ?? 0);
  return b.op.offset === a.op.offset + a.op.range;
}
