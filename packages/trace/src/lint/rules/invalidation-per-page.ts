/**
 * One TLB invalidation for each page.
 *
 * @module
 */

import { counted, size, span } from "@vmbind/drm";
import type { OpRef } from "../../space/piece.ts";
import type { LintRule } from "../rule.ts";

/** Pages side by side from which it is worth a word. */
const FEWEST = 8;

/** See the module. */
export const invalidationPerPage: LintRule = {
  id: "invalidation-per-page",
  title: "a TLB invalidation for every page of a range",
  category: "cost",
  severity: "warning",
  what: "Calls whose operations name eight pages or more side by side, a page each, and that take a TLB invalidation for each. One finding for a trace, at the longest run, with the sum.",
  why: "An invalidation is a command to the hardware that the driver waits for, under the VM's lock, and others wait behind it. A range takes one.",
  advice:
    "one operation for the range; or, in the driver, gather the invalidations of an array and send one for all",
  examples: {
    bad: `
object 1 32KiB
call invalidations=8
  map 0x200000 4KiB object 1
  map 0x201000 4KiB object 1 + 0x1000
  map 0x202000 4KiB object 1 + 0x2000
  map 0x203000 4KiB object 1 + 0x3000
  map 0x204000 4KiB object 1 + 0x4000
  map 0x205000 4KiB object 1 + 0x5000
  map 0x206000 4KiB object 1 + 0x6000
  map 0x207000 4KiB object 1 + 0x7000
unmap 0x200000 32KiB`,
    good: `
object 1 32KiB
call invalidations=1
  map 0x200000 32KiB object 1
unmap 0x200000 32KiB`,
  },
  start(context) {
    let longest: { ref: OpRef; vm: number; end: number; pages: number; pageBytes: number } | null = null;
    let invalidations = 0;
    return {
      call({ changes, vm, cost }) {
        const commands = cost["tlbInvalidations"] ?? 0;
        if (vm === null || changes.length < FEWEST || commands < changes.length) return;
        let start = 0;
        for (let i = 1; i <= changes.length; i++) {
          const here = changes[i];
          const before = changes[i - 1];
          const first = changes[start];
          if (first === undefined || before === undefined) continue;
          const goesOn = here?.ref.addr === before.ref.end && here.op.range === first.op.range;
          if (goesOn) continue;
          const pages = i - start;
          if (pages >= FEWEST && first.op.range <= context.pageBytes) {
            invalidations += pages;
            if (pages > (longest?.pages ?? 0)) {
              longest = { ref: first.ref, vm: vm.id, end: before.ref.end, pages, pageBytes: first.op.range };
            }
          }
          start = i;
        }
      },
      end() {
        if (longest === null) return;
        const { ref, vm, end, pages, pageBytes } = longest;
        context.report({
          at: ref,
          vm,
          addr: ref.addr,
          range: end - ref.addr,
          text: `${counted(pages, "TLB invalidation")} for ${span(ref.addr, end - ref.addr)}, one for each ${size(pageBytes)}, where one would do; ${invalidations} of this kind in the trace`,
        });
      },
    };
  },
};
