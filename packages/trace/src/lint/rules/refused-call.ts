/**
 * The driver refuses a VM_BIND.
 *
 * @module
 */

import { errnoName } from "@vmbind/drm";
import type { CallRef, OpRef } from "../../space/piece.ts";
import { refusedOp } from "../../story/bind-watch.ts";
import { fold, type LintFinding } from "../finding.ts";
import type { LintCall, LintRule } from "../rule.ts";

/** See the module. */
export const refusedCall: LintRule = {
  id: "refused-call",
  title: "the driver refuses a VM_BIND",
  category: "correctness",
  severity: "error",
  what: "A VM_BIND that fails, with the rule that it breaks and the operation that breaks it. Calls that fail because of a closed handle or beyond the end of an object are told by the rules for those; calls that fail for the same reason again are counted.",
  why: "Drivers check an array before they begin, and refuse all of it for one wrong operation: nothing of the call is mapped, while the program may go on as if it were.",
  advice: "the reason names the member and its rule; no operation of this call took effect",
  examples: {
    bad: `
object 1 64KiB
bind 0x200800 64KiB object 1 refused "ops[0].va: 0x200800 is not a multiple of 4096"`,
    good: `
object 1 64KiB
bind 0x200000 64KiB object 1
unmap 0x200000 64KiB
close 1`,
  },
  start(context) {
    const byReason = new Map<string, LintFinding>();
    return {
      call(call) {
        const { action, ref, ret } = call;
        if (action.kind !== "bind" || ret === 0) return;
        const cause = context.cause(ref);
        if (cause !== null) {
          fold(cause, "refused-call");
          lose(cause, call);
          return;
        }
        const text = `${errnoName(ret)}: ${call.reason ?? "no reason kept"}`;
        // Numbers differ from call to call; what is wrong does not.
        const key = text.replace(/0x[0-9a-f]+|\d+/g, "N");
        const known = byReason.get(key);
        if (known !== undefined) {
          fold(known, "refused-call");
          context.explain(known, ref);
          lose(known, call);
          return;
        }
        const at = failing(call);
        const finding = context.report({
          at,
          ...("op" in at && { addr: at.addr, range: at.end - at.addr }),
          text: `is refused with ${text}${call.recordedRet === 0 ? "; the recording has a success here" : ""}`,
        });
        byReason.set(key, finding);
        context.explain(finding, ref);
        lose(finding, call);
      },
    };

    function lose(cause: LintFinding, { action, ref }: LintCall): void {
      if (action.kind !== "bind") return;
      for (const [op, { addr, range }] of action.ops.entries()) {
        context.lose(cause, { ...ref, op, ops: action.ops.length, addr, end: addr + range });
      }
    }
  },
};

/** The operation that breaks the rule, where the reason names it; else the whole call. */
function failing({ action, reason, ref }: LintCall): CallRef | OpRef {
  if (action.kind !== "bind") return ref;
  const ops = action.ops.length;
  const named = refusedOp(reason ?? "");
  const index = named < 0 && ops === 1 ? 0 : named;
  const op = action.ops[index];
  return op === undefined ? ref : { ...ref, op: index, ops, addr: op.addr, end: op.addr + op.range };
}
