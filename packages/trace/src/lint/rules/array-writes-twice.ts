/**
 * An array writes entries more often than it changes them.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import type { LintCall, LintRule } from "../rule.ts";

/** Entries too many, from which it is worth a word: a whole table. */
const MORE_LEAST = 512;

/** See the module. */
export const arrayWritesTwice: LintRule = {
  id: "array-writes-twice",
  title: "an array writes twice the entries that are different afterwards",
  category: "cost",
  severity: "warning",
  what: "A call of several operations that wrote at least twice as many leaf entries as are different, new or gone after it, and a whole table's worth more; entries that are only cleared are not counted. One finding for a trace, at the worst call, with the sum of all such calls.",
  why: "A driver that prepares each operation of an array for itself, before any of them is applied, splits the same block and fills the same table again for each. The parts, sent one by one, would write less.",
  advice:
    "sort and join the operations; where that does not help, fewer operations in a call, or unbinds and binds of one block in calls of their own",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
call writes=2048 changed=512
  bind 0x210000 64KiB object 1
  unbind 0x230000 64KiB
unmap 0x200000 2MiB`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x210000 64KiB object 1
unmap 0x200000 2MiB`,
  },
  start(context) {
    let worst: { call: LintCall; written: number; changed: number } | null = null;
    let writtenAll = 0;
    let changedAll = 0;
    let calls = 0;
    return {
      call(call) {
        const { entriesChanged: changed, cost, changes } = call;
        if (changed === null || changes.length < 2) return;
        const written = cost["pteWrites"] ?? 0;
        if (written < changed * 2 || written - changed < MORE_LEAST) return;
        calls++;
        writtenAll += written;
        changedAll += changed;
        if (worst === null || written - changed > worst.written - worst.changed)
          worst = { call, written, changed };
      },
      end() {
        if (worst === null) return;
        const { call, written, changed } = worst;
        const addr = call.changes[0]?.ref.addr ?? 0;
        context.report({
          at: call.ref,
          ...(call.vm !== null && { vm: call.vm.id, place: context.place(call.vm, addr) }),
          addr,
          text: `writes ${counted(written, "leaf entry")} for ${counted(call.changes.length, "operation")}, and ${changed} are different afterwards; ${counted(calls, "call")} of this kind: ${writtenAll} for ${changedAll}`,
        });
      },
    };
  },
};
