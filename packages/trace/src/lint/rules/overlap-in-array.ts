/**
 * Operations of one array undo each other.
 *
 * @module
 */

import { size, span } from "@vmbind/drm";
import type { OpRef } from "../../space/piece.ts";
import { refName } from "../../space/piece.ts";
import type { LintRule } from "../rule.ts";

/** See the module. */
export const overlapInArray: LintRule = {
  id: "overlap-in-array",
  title: "a later operation of the same call undoes an earlier one",
  category: "cost",
  severity: "warning",
  what: "An operation that cuts or covers what an earlier operation of the same array has mapped. An unmap that a map follows is left alone: that is how a range is replaced where maps do not replace. One finding a call.",
  why: "The work of the earlier operation is lost, and the array means something else in another order. Where an application's list has such an overlap, the result depends on how the user-mode driver sorts it.",
  advice: "drop or shorten the earlier operation",
  examples: {
    bad: `
object 1 1MiB
call
  map 0x200000 1MiB object 1
  unmap 0x280000 256KiB
unmap 0x200000 1MiB`,
    good: `
object 1 1MiB
call
  map 0x200000 512KiB object 1
  map 0x2c0000 256KiB object 1 + 0xc0000
unmap 0x200000 1MiB`,
  },
  start: (context) => ({
    call({ changes, vm }) {
      if (vm === null || changes.length < 2) return;
      let first: { ref: OpRef; old: OpRef } | null = null;
      let count = 0;
      for (const { ref, before } of changes) {
        const old = before.find(({ by }) => by.seq === ref.seq);
        if (old === undefined) continue;
        count++;
        first ??= { ref, old: old.by };
      }
      if (first === null) return;
      const { ref, old } = first;
      const from = Math.max(ref.addr, old.addr);
      const range = Math.min(ref.end, old.end) - from;
      context.report({
        at: ref,
        vm: vm.id,
        addr: from,
        range,
        place: context.place(vm, from),
        text: `undoes ${size(range)} of what ${refName(old)} did in the same call, at ${span(from, range)}${count > 1 ? `; ${count - 1} more of this call do so` : ""}`,
        related: [{ at: old, text: `mapped ${span(old.addr, old.end - old.addr)}` }],
      });
    },
  }),
};
