/**
 * A range is filled window by window.
 *
 * @module
 */

import { counted, size, span } from "@vmbind/drm";
import { objectName } from "../../space/piece.ts";
import type { OpChange } from "../../space/world.ts";
import type { LintRule } from "../rule.ts";

/** Windows side by side from which it is worth a word. */
const FEWEST = 4;

/** See the module. */
export const fillerByRepetition: LintRule = {
  id: "filler-by-repetition",
  title: "the same window of an object is mapped over and over",
  category: "cost",
  severity: "warning",
  what: "Four or more operations that map the same bytes of the same object at addresses that follow each other. One finding for a trace, at the longest run.",
  why: "An operation, a mapping and its table entries for every window, at the creation of each resource and again for each large unbind. It is what a client does where the uAPI cannot say that nothing is bound, or that a window repeats.",
  advice:
    "where the driver knows one, use its operation for unbound ranges; else repeat a window as large as its largest block",
  examples: {
    bad: `
object 1 2MiB
call
  filler 0x1000000 2MiB object 1
  filler 0x1200000 2MiB object 1
  filler 0x1400000 2MiB object 1
  filler 0x1600000 2MiB object 1
unmap 0x1000000 8MiB`,
    good: `
object 1 2MiB
sparse 0x1000000 8MiB
unmap 0x1000000 8MiB`,
  },
  start(context) {
    let run: OpChange[] = [];
    let longest: { vm: number; first: OpChange; last: OpChange; length: number } | null = null;
    let repeated = 0;
    let operations = 0;
    return {
      call({ changes, vm }) {
        if (vm === null) return;
        for (const change of changes) {
          operations++;
          const last = run.at(-1);
          if (last === undefined || !repeats(last, change)) run = [];
          if (change.op.effect === "map" && change.object !== null) run.push(change);
          if (run.length === FEWEST) repeated += FEWEST;
          else if (run.length > FEWEST) repeated++;
          if (run.length >= FEWEST && run.length > (longest?.length ?? 0)) {
            longest = { vm: vm.id, first: run[0] as OpChange, last: change, length: run.length };
          }
        }
      },
      end() {
        if (longest === null) return;
        const { first, last, length, vm } = longest;
        const range = last.ref.end - first.ref.addr;
        context.report({
          at: first.ref,
          vm,
          addr: first.ref.addr,
          range,
          text: `${counted(length, "operation")} map the same ${size(first.op.range)} of ${objectName(first.object)} over ${span(first.ref.addr, range)}; in the whole trace ${repeated} of ${operations} operations do that`,
        });
      },
    };
  },
};

function repeats(a: OpChange, b: OpChange): boolean {
  const follows = a.ref.end === b.ref.addr && a.op.handle === b.op.handle && a.op.offset === b.op.offset;
  return follows && b.op.effect === "map" && b.op.range <= (b.object?.size ?? 0);
}
