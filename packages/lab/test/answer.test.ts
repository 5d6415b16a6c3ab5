/**
 * Goal: the answer names who needs least and most, factors, and who is not beaten.
 * Method: invented rows of a recorded and of a generated workload.
 */

import { answerOf, CREATE_METRICS, type TraceRow } from "@vmbind/lab";
import { describe, expect, it } from "vitest";

function row(strategy: string, workload: string, metrics: TraceRow["metrics"]): TraceRow {
  return { workload, strategy, driver: "d", recorded: true, supported: true, differences: 0, metrics };
}

function created(strategy: string, operations: number, entries: number, invalidations: number): TraceRow {
  const none = Object.fromEntries(CREATE_METRICS.map(({ name }) => [name, 0]));
  return row(strategy, "buffer-100e6", {
    ...none,
    createOps: operations,
    createPteWrites: entries,
    createTlbInvalidations: invalidations,
  });
}

describe("the answer", () => {
  const rows = [created("a", 100, 100, 100), created("b", 1, 10, 1), created("c", 1, 100, 0)];

  it("is about creating the resource of the question, with factors over the least that is not 0", () => {
    const { workload, about, rows: figures } = answerOf(rows, []);
    expect([workload, about]).toEqual(["buffer-100e6", "100e6 bytes, nothing bound"]);
    expect(figures.map(({ factors }) => factors["createOps"])).toEqual([100, 1, 1]);
    expect(figures.map(({ factors }) => factors["createTlbInvalidations"])).toEqual([100, 1, undefined]);
  });

  it("says who is beaten in nothing, and a line for each deciding figure", () => {
    const { unbeaten, lines } = answerOf(rows, []);
    expect(unbeaten).toEqual(["b", "c"]);
    expect(lines.map(({ text }) => text)).toEqual([
      "Operations: 1 with b and c, and 100 with a.",
      "Leaf entries: 10 with b, and 100 with a and c.",
      "TLB invalidations: 0 with c, and 100 with a; the others lie between.",
      "Not beaten in all of these, 100e6 bytes, nothing bound: b and c.",
    ]);
    expect(lines[0]?.values).toEqual([1, 100]);
  });

  it("is about the whole of the first workload where the question's was not run", () => {
    const metrics = { bindOps: 3, payloadBytes: 5, pteWrites: 7, tablesPeak: 1, tlbInvalidations: 2 };
    const found = answerOf([row("a", "mine", metrics), row("b", "mine", { ...metrics, bindOps: 6 })], []);
    expect([found.workload, found.about, found.unbeaten]).toEqual(["mine", "mine", ["a"]]);
    expect(found.rows[1]?.values["bindOps"]).toBe(6);
    expect(found.rows[1]?.factors["bindOps"]).toBe(2);
  });

  it("says nothing where nothing was run, and compares nothing with itself", () => {
    expect(answerOf([], [])).toMatchObject({ workload: "", rows: [], unbeaten: [], lines: [] });
    expect(answerOf(rows.slice(0, 1), []).lines).toEqual([]);
  });
});
