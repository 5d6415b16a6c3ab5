/** What a mapping or an operation stands for: the four meanings that have a colour on every page. */

import type { Action, BindOp } from "@vmbind/trace";

/**
 * Codes in typed arrays: memory of the application; memory that stands for nothing and is shared; an entry for nothing; no
 * translation any more; none of those.
 */
export const MEANINGS = ["memory", "shared", "sparse", "hole", "none"] as const;

/** One of {@link MEANINGS}. */
export type Meaning = (typeof MEANINGS)[number];

/** Kinds of mappings without memory, as the models call them. */
const WITHOUT_MEMORY: ReadonlySet<string> = new Set(["sparse", "null", "prt"]);
/** Kinds of mappings of an object of the application. */
const OF_OBJECTS: ReadonlySet<string> = new Set(["bo", "userptr"]);

/** @returns what an operation makes of its range */
export function meaningOfOp({ effect, handle, sparse }: BindOp): Meaning {
  const unbound = sparse?.says === "unbound" || sparse?.says === "uncover";
  if (unbound) return handle === 0 ? "sparse" : "shared";
  if (effect === "map") return handle === 0 ? "sparse" : "memory";
  return effect === "none" ? "none" : "hole";
}

/** Follows which objects stand for nothing: those that an operation maps to say that a range is unbound. */
export class StandIns {
  readonly #handles = new Set<string>();

  /** Look at an ioctl that succeeded. */
  see(file: number, action: Action): void {
    if (action.kind === "bo-close") this.#handles.delete(`${file} ${action.handle}`);
    if (action.kind !== "bind") return;
    for (const op of action.ops) {
      if (meaningOfOp(op) === "shared") this.#handles.add(`${file} ${op.handle}`);
    }
  }

  /** @returns what a mapping stands for */
  meaningOf(file: number, kind: string, handle: number): Meaning {
    if (WITHOUT_MEMORY.has(kind)) return "sparse";
    if (!OF_OBJECTS.has(kind)) return "shared";
    return this.#handles.has(`${file} ${handle}`) ? "shared" : "memory";
  }
}
