/**
 * An array writes entries more often than it changes them.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import type { LintRule } from "../rule.ts";

/** Entries too many, from which it is worth a word: a whole table. */
const MORE_LEAST = 512;
/** How many times as many as there are: what lies in several blocks is counted for all of them. */
const FACTOR = 1.5;

/** See the module. */
export const arrayWritesTwice: LintRule = {
  id: "array-writes-twice",
  title: "an array writes more leaf entries than there are where it maps",
  category: "cost",
  severity: "warning",
  what: "A call of several operations that writes half as many leaf entries again as all the blocks of 2 MiB have that it touches, and a whole table's worth more. So some entries were written twice or more. One finding for a trace, at the worst call, with the sum of all such calls.",
  why: "A driver that prepares each operation of an array for itself splits the same block, and fills the same table, again for each of them. Sent one by one the parts would write as much as is different afterwards.",
  advice:
    "join operations that touch; where that does not help, put operations on the same block into different calls; a driver could prepare the array as a whole",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
call writes=2048 entries=512
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
    let worst: { said: Parameters<typeof context.report>[0]; more: number } | null = null;
    let writtenAll = 0;
    let thereAll = 0;
    let calls = 0;
    return {
      call({ entriesThere: there, cost, changes, ref, vm }) {
        const [first] = changes;
        if (there === null || first === undefined || vm === null || changes.length < 2) return;
        const written = cost["pteWrites"] ?? 0;
        if (written < there * FACTOR || written - there < MORE_LEAST) return;
        calls++;
        writtenAll += written;
        thereAll += there;
        if (written - there <= (worst?.more ?? 0)) return;
        const { addr } = first.ref;
        const text = `writes ${counted(written, "leaf entry")} for ${counted(changes.length, "operation")}, where the blocks that they touch have ${there}`;
        worst = {
          said: { at: ref, vm: vm.id, place: context.place(vm, addr), addr, text },
          more: written - there,
        };
      },
      end() {
        if (worst === null) return;
        const { said } = worst;
        const sum = `${counted(calls, "call")} of this kind: ${writtenAll} for ${thereAll}`;
        context.report({ ...said, text: `${said.text}; ${sum}` });
      },
    };
  },
};
