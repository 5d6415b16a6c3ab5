/**
 * A handle is named after it was closed.
 *
 * @module
 */

import { counted, span } from "@vmbind/drm";
import { type OpRef, objectName, refName, type SpaceObject } from "../../space/piece.ts";
import type { LintFinding } from "../finding.ts";
import type { LintCall, LintContext, LintRule, RuleRun } from "../rule.ts";

/** See the module. */
export const useAfterClose: LintRule = {
  id: "use-after-close",
  title: "a handle is named after it was closed",
  category: "lifetime",
  severity: "error",
  what: "A VM_BIND or GEM_CLOSE that names a handle which an earlier GEM_CLOSE gave back. The finding stands at that GEM_CLOSE; each call that fails because of it is counted there, and what follows from the failed binds, too.",
  why: "The driver refuses the whole call, or, once the number is given out again, maps another object: then the GPU reads and writes memory that belongs to somebody else.",
  advice: "close the handle after the last VM_BIND that names it",
  examples: {
    bad: `
object 1 64KiB
sparse 0x200000 2MiB
close 1
bind 0x200000 64KiB object 1 refused "bo_handle: 1 is not a handle of this file"`,
    good: `
object 1 64KiB
sparse 0x200000 2MiB
bind 0x200000 64KiB object 1
unmap 0x200000 2MiB
close 1`,
  },
  start: (context) => new UseAfterClose(context),
};

class UseAfterClose implements RuleRun {
  readonly #context: LintContext;
  readonly #found = new Map<SpaceObject, LintFinding>();
  /** Files in which numbers are others than in the recording. */
  readonly #moved = new Map<number, LintFinding>();

  constructor(context: LintContext) {
    this.#context = context;
  }

  call(call: LintCall): void {
    const { action, ref } = call;
    if (call.handleMoved && call.made !== null) this.#move(call.made);
    if (action.kind === "bo-close" && call.ret !== 0) this.#use(call, action.handle, null);
    if (action.kind !== "bind") return;
    const moved = this.#moved.get(ref.file);
    // Whatever has another number than the program thinks is mapped in place of something else.
    if (moved !== undefined) this.#context.explain(moved, ref);
    if (moved !== undefined || call.ret === 0) return;
    for (const [i, op] of action.ops.entries()) {
      if (op.handle === 0 || op.effect === "none") continue;
      const { addr, range } = op;
      const at = { ...ref, op: i, ops: action.ops.length, addr, end: addr + range };
      if (this.#use(call, op.handle, at)) break;
    }
  }

  #use({ ref }: LintCall, handle: number, op: OpRef | null): boolean {
    const { world } = this.#context;
    const now = world.object(ref.file, handle);
    const object = now === null ? world.lastClosed(ref.file, handle) : null;
    const known = [...this.#found.keys()].find((o) => o === (object ?? now));
    if (known !== undefined) {
      this.#context.explain(this.#found.get(known) as LintFinding, ref);
      return true;
    }
    if (object?.closed == null) return false;
    const use = op ?? ref;
    const finding = this.#context.report({
      at: object.closed,
      ...(op !== null && { addr: op.addr, range: op.end - op.addr }),
      text: `closes ${objectName(object)}, which ${refName(use)} and later calls still name`,
      related: [
        { at: object.made, text: `makes ${objectName(object)}` },
        {
          at: use,
          text: `names it first${op === null ? "" : `, as operation ${op.op} of ${counted(op.ops, "operation")}, at ${span(op.addr, op.end - op.addr)}`}`,
        },
      ],
    });
    this.#found.set(object, finding);
    this.#context.explain(finding, ref);
    return true;
  }

  /** A number went to another object than in the recording: an earlier one was given back too soon. */
  #move(object: SpaceObject): void {
    const early = this.#context.world
      .closedObjects(object.file)
      .filter(({ handle }) => handle < object.handle)
      .at(-1);
    if (early?.closed == null) return;
    const finding =
      this.#found.get(early) ??
      this.#context.report({
        at: early.closed,
        text: `closes ${objectName(early)} too early: its number goes to the object that ${refName(object.made)} makes, which the program knows as ${objectName(object)}`,
        related: [{ at: object.made, text: `makes ${objectName(object)}, under another number` }],
      });
    this.#found.set(early, finding);
    this.#moved.set(object.file, finding);
  }
}
