/**
 * Operations that change nothing.
 *
 * @module
 */

import { counted, span } from "@vmbind/drm";
import type { OpChange } from "../../space/world.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const redundantOperation: LintRule = {
  id: "redundant-operation",
  title: "operations map what is already mapped, or unmap what is not",
  category: "cost",
  severity: "warning",
  what: "A map over the very same memory with the same flags, an unbind of what is not bound, an unmap of nothing. One finding for a trace, at the first, with how many there are. What makes a resource is left alone, and what a user-mode driver unmaps around one.",
  why: "The driver does all the work again: it cuts the old mapping, writes the same entries, flushes the TLB. An unbind inside of a large unbound range is worse: it cuts the range in three and shatters the blocks at its ends.",
  advice: "remember what is bound, and leave out the operation",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
unbind 0x210000 64KiB
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unbind 0x210000 64KiB
unmap 0x200000 2MiB`,
  },
  start(context) {
    let first: Parameters<typeof context.report>[0] | null = null;
    let count = 0;
    let operations = 0;
    return {
      call({ vm, changes }) {
        if (vm === null) return;
        for (const change of changes) {
          const { ref, op } = change;
          operations++;
          if (!changesNothing(change)) continue;
          count++;
          first ??= {
            at: ref,
            vm: vm.id,
            addr: ref.addr,
            range: op.range,
            place: context.place(vm, ref.addr),
            text: `${op.heading} ${span(ref.addr, op.range)} changes nothing: ${why(change)}`,
          };
        }
      },
      end() {
        if (first === null) return;
        context.report({
          ...first,
          text: `${first.text}; ${counted(count, "operation")} of ${operations} ${count === 1 ? "is" : "are"} of this kind`,
        });
      },
    };
  },
};

function changesNothing({ op, object, before, makes, ref, ends }: OpChange): boolean {
  if (makes || op.range === 0 || op.sparse?.view !== undefined) return false;
  if (op.effect === "unmap") {
    // Around a resource everything is taken, whether there is anything or not.
    return before.length === 0 && ends.length === 0 && op.sparse?.says !== "aside";
  }
  if (op.effect !== "map") return false;
  const isUnbind = op.sparse?.says === "unbound";
  let at = ref.addr;
  for (const piece of before) {
    if (piece.addr > at || piece.kind !== op.heading || piece.flags !== op.flags) return false;
    if (isUnbind !== (piece.is === "unbound")) return false;
    if (!isUnbind) {
      const same = piece.object === object?.number && piece.offset - piece.addr === op.offset - ref.addr;
      if (!same) return false;
    }
    at = piece.end;
  }
  return at >= ref.end && before.length > 0;
}

function why({ op, before }: OpChange): string {
  if (before.length === 0) return "nothing is mapped there";
  return op.sparse?.says === "unbound" ? "nothing is bound there" : "the same memory is mapped there";
}
