/**
 * Ioctls in words.
 *
 * @module
 */

import { counted, hex } from "@vmbind/drm";
import {
  type Action,
  eventOf,
  eventText,
  result,
  type TraceIoctl,
  type TraceLanding,
  type TraceMark,
  visible,
} from "@vmbind/trace";
import type { Teller, ToldCall, ToldOp } from "./explainer.ts";

/** Operations and leaf runs shown of one call unless all are asked for. */
const SHOWN = 4;

/** Writes what is told as text. */
export class TextTeller implements Teller {
  readonly #out: (text: string) => void;
  readonly #allOps: boolean;

  /**
   * @param out - takes lines, each with its line end
   * @param allOps - tells every operation, with its steps
   */
  constructor(out: (text: string) => void, allOps: boolean) {
    this.#out = out;
    this.#allOps = allOps;
  }

  /** See {@link Teller.mark}. */
  mark(mark: TraceMark): void {
    this.#out(describeMark(mark));
  }

  /** See {@link Teller.call}. */
  call(told: ToldCall): void {
    const { record, action, ret, reason, steps } = told;
    const refusal = reason === null ? "" : `: ${reason}`;
    this.#out(`${visible(`${callLine(record, action)} = ${result(ret)}${refusal}`)}\n`);
    if (action.kind !== "bind") return;
    this.#ops(told);
    if (steps === null) return;
    this.#out(`    steps   ${tally(steps.map(({ kind }) => kind))}\n`);
    this.#leaves(told.leaves);
    this.#out(`    tables  ${tables(told.cost)}\n`);
  }

  #ops({ ops, steps }: ToldCall): void {
    const picked = ops.filter(({ isPicked }) => isPicked);
    const front = this.#allOps ? ops : (picked.length > 0 ? picked : ops).slice(0, SHOWN);
    // The one that breaks a rule is always told.
    const broken = ops.filter((told) => told.isRefused && !front.includes(told));
    for (const told of front) {
      this.#op(told);
      if (!this.#allOps) continue;
      for (const step of steps ?? []) if (step.op === told.index) this.#out(`        ${step.text}\n`);
    }
    const left = ops.length - front.length - broken.length;
    if (left > 0) this.#out(`    ... ${counted(left, "more op")}\n`);
    for (const told of broken) this.#op(told);
  }

  #op({ index, text, place, isRefused }: ToldOp): void {
    const where = place === null ? "" : `  # ${place}`;
    this.#out(`    ${isRefused ? `refused, op ${index}: ` : ""}${text}${where}\n`);
  }

  #leaves(runs: readonly string[]): void {
    const shown = this.#allOps ? runs : runs.slice(0, SHOWN);
    for (const [i, leaf] of shown.entries()) {
      this.#out(`    ${i === 0 ? "leaves " : "       "} ${leaf}\n`);
    }
    if (shown.length < runs.length) {
      this.#out(`            ... ${counted(runs.length - shown.length, "more run")}\n`);
    }
  }
}

function callLine({ seq, ioctl, file }: TraceIoctl, { text }: Action): string {
  const words = file === 0 ? text : [`file ${file}`, text].filter(Boolean).join(", ");
  return `#${seq} ${ioctl}(${words})`;
}

function tally(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, n]) => `${n} ${kind}`).join(", ") || "none";
}

function tables(cost: Readonly<Record<string, number>>): string {
  const parts = [
    [cost["tablesAllocated"], "table", "made"],
    [cost["tablesFreed"], "table", "freed"],
    [cost["tableWrites"], "directory entry", "written"],
    [cost["pteWrites"], "leaf entry", "written"],
    [cost["pteClears"], "leaf entry", "cleared"],
    [cost["tlbInvalidations"], "TLB invalidation", ""],
  ] as const;
  const words = parts.map(([n, noun, verb]) => (n ? `${counted(n, noun)} ${verb}`.trimEnd() : ""));
  return words.filter(Boolean).join(", ") || "unchanged";
}

function describeMark({ mark, exec }: TraceMark): string {
  const event = eventOf(mark);
  if (!exec) return `-- ${visible(event === null ? mark : eventText(event))}\n`;
  const { vm, batch, stores } = exec;
  const shown = stores.slice(0, SHOWN).map((s) => `     ${hex(s.va)} = ${hex(s.value)} -> ${landing(s)}\n`);
  const more = stores.length - shown.length;
  return (
    `-- exec on VM ${vm}: batch at ${hex(batch.va)} in ${landing(batch)}, ${counted(stores.length, "store")}\n` +
    shown.join("") +
    (more > 0 ? `     ... ${counted(more, "more store")}\n` : "")
  );
}

function landing({ to, gemSeq, offset }: TraceLanding): string {
  return to === "bo" ? `the BO of #${gemSeq} + ${hex(offset)}` : to;
}
