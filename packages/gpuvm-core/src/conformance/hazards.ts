/**
 * Format `gpuvm-repeat-hazards`: cuts that the posted rule of REPEAT gets wrong, with the right result beside.
 *
 * Mode `phase` has to give the right steps. What the posted builds gave is mode `v4-fixed`, with the windows forgotten that
 * they forget: `v4` those of all mappings, `v4+init` that of the piece behind an unmap and of what is cut from it. What the
 * case says of the hazards follows from the two results.
 *
 * @module
 */

import { EINVAL, fail } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of, type VectorCheck } from "@vmbind/drm/conformance";
import { VectorVm } from "./model.ts";
import { type Json, u64 } from "./step-log.ts";

/** Pages of a piece that are compared one by one. The recorded ones have some thousands. */
const PAGES_MAX = 2 ** 20;
/** Wrong pages that a case lists. */
const LISTED_MAX = 40;

/** See the module comment. */
export const checkRepeatHazards: VectorCheck = (testCase) => {
  const ops = testCase["ops"] as Json[];
  const vm = testCase["vm"] as Json;
  const right = new VectorVm(vm, { repeat: "phase", phases: true });
  const posted = new VectorVm(vm, { repeat: "v4-fixed" });
  const windows = new LostWindows(testCase["build"] as string);
  let keeps = false;
  for (const [i, op] of ops.entries()) {
    const rightly = right.run(op);
    const run = posted.run(op);
    const steps = windows.steps(op, run["steps"] as Json[]);
    const differs = keepsOf(steps) !== keepsOf(rightly["steps"] as Json[]);
    keeps ||= differs;
    const found =
      mismatch(`ops[${i}].ret`, op["ret"], run["ret"]) ??
      mismatch(`ops[${i}].ret`, op["ret"], rightly["ret"]) ??
      mismatch(`ops[${i}].right_steps`, op["right_steps"], rightly["steps"]) ??
      mismatch(`ops[${i}].steps`, op["steps"], steps) ??
      mismatch(`ops[${i}].insert_failed`, op["insert_failed"], run["insert_failed"]) ??
      mismatch(`ops[${i}].keep_differs`, op["keep_differs"], differs);
    if (found) return found;
  }
  const final = windows.mappings(posted.final());
  const rightFinal = right.final();
  return (
    mismatch("right_final", testCase["right_final"], rightFinal) ??
    mismatch("final", testCase["final"], final) ??
    checkHazards(testCase, final, rightFinal, { keeps, lost: windows.seen })
  );
};

function keepsOf(steps: readonly Json[]): string {
  return steps.map(({ keep }) => String(keep)).join();
}

/** Which mappings have no window though they repeat, by their first address. */
class LostWindows {
  /** A piece without a window was made. */
  seen = false;
  readonly #build: string;
  readonly #lost = new Set<string>();

  constructor(build: string) {
    this.#build = build;
  }

  /** The steps of an operation as the build gave them. */
  steps(op: Json, steps: readonly Json[]): Json[] {
    return steps.map((step) => {
      if (step["step"] === "map") return this.#inserted(step);
      if (step["step"] === "unmap") return this.#kept(step, this.#removed(step));
      const old = step["unmap"] as Json;
      const lost = this.#removed(old);
      const slip = this.#build === "v4+init" && op["op"] === "unmap";
      return {
        ...this.#kept(step, lost),
        unmap: without(old, lost),
        prev: this.#piece(step["prev"] as Json | null, lost),
        next: this.#piece(step["next"] as Json | null, lost || slip),
      };
    });
  }

  /** Mappings as the build lists them. */
  mappings(mappings: readonly Json[]): Json[] {
    return mappings.map((mapping) => without(mapping, this.#lost.has(mapping["va"] as string)));
  }

  /** A map step shows the request's window, whatever becomes of it. */
  #inserted(step: Json): Json {
    if (this.#build === "v4" && "gem_range" in step) this.#lost.add(step["va"] as string);
    return step;
  }

  #removed(mapping: Json): boolean {
    return this.#lost.delete(mapping["va"] as string);
  }

  #piece(piece: Json | null, lost: boolean): Json | null {
    if (piece === null || !lost || !("gem_range" in piece)) return piece;
    this.seen = true;
    this.#lost.add(piece["va"] as string);
    return without(piece, true);
  }

  /** A window of 0 is never that of the request, so nothing is kept. */
  #kept(step: Json, lost: boolean): Json {
    return lost ? { ...without(step, true), keep: false } : step;
  }
}

function without(mapping: Json, lost: boolean): Json {
  return lost && "gem_range" in mapping ? { ...mapping, gem_range: "0x0" } : mapping;
}

function checkHazards(
  testCase: Json,
  final: readonly Json[],
  right: readonly Json[],
  { keeps, lost }: { keeps: boolean; lost: boolean },
): Mismatch | null {
  const page = u64Of(testCase["page_size"], "page_size");
  const shown: Json[] = [];
  let pages = 0;
  for (const [i, mapping] of final.entries()) {
    const rightly = right[i] as Json;
    if (mapping["gem_range"] === "0x0") {
      const { va, range, gem, offset, phase, gem_range: window } = rightly;
      shown.push({ va, range, want: { gem, offset, window, phase }, patch: "window-0" });
      continue;
    }
    // Only a piece that begins inside its window shows other bytes than it should.
    if (mapping["offset"] === rightly["offset"] && (rightly["phase"] ?? "0x0") === "0x0") continue;
    const start = u64Of(mapping["va"], "va");
    if (u64Of(mapping["range"], "range") / page > PAGES_MAX) {
      fail(EINVAL, `final[${i}].range: more than ${PAGES_MAX} pages are not compared one by one`);
    }
    for (let va = start; va < start + u64Of(mapping["range"], "range"); va += page) {
      const [want, patch] = [shownAt(rightly, va), shownAt(mapping, va)];
      if (want["offset"] === patch["offset"]) continue;
      if (pages++ < LISTED_MAX) shown.push({ va: u64(va), want, patch });
    }
  }
  const tails = final.filter(hasTail);
  const hazards = [
    ...(pages > 0 ? ["phase-shift"] : []),
    ...(tails.length > 0 ? ["length"] : []),
    ...(keeps ? ["keep"] : []),
    ...(lost || final.some((mapping) => mapping["gem_range"] === "0x0") ? ["window-lost"] : []),
  ];
  return (
    mismatch("hazards", testCase["hazards"], hazards) ??
    mismatch("pages_wrong_total", testCase["pages_wrong_total"], pages) ??
    mismatch("pages_wrong", testCase["pages_wrong"], shown) ??
    mismatch(
      "tail_lost_by_floor_count",
      testCase["tail_lost_by_floor_count"],
      tails.map((mapping) => tailOf(mapping)),
    )
  );
}

/** What a mapping shows at an address. */
function shownAt(mapping: Json, va: number): Json {
  const { gem, offset, gem_range: window = null, phase = "0x0" } = mapping;
  const into = va - u64Of(mapping["va"], "va") + u64Of(phase, "phase");
  return {
    gem,
    offset: u64(u64Of(offset, "offset") + (window === null ? into : into % u64Of(window, "gem_range"))),
  };
}

function hasTail(mapping: Json): boolean {
  const window = mapping["gem_range"];
  return (
    window !== undefined &&
    window !== "0x0" &&
    u64Of(mapping["range"], "range") % u64Of(window, "gem_range") > 0
  );
}

/** What a driver leaves unmapped that maps whole windows only. */
function tailOf(mapping: Json): Json {
  const range = u64Of(mapping["range"], "range");
  const tail = range % u64Of(mapping["gem_range"], "gem_range");
  return { va: u64(u64Of(mapping["va"], "va") + range - tail), range: u64(tail) };
}
