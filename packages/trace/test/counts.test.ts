import { readFileSync } from "node:fs";
import { TraceCounter, type TraceCounts, TraceDecoder } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { lensOf, names, open } from "./files.ts";

/** The tables of the recordings' READMEs, by trace. */
const readme = JSON.parse(readFileSync(new URL("readme-counts.json", import.meta.url), "utf8")) as Record<
  string,
  Partial<TraceCounts>
>;

async function count(name: string): Promise<TraceCounts> {
  const trace = await open(name);
  const lens = lensOf(name);
  const decoder = new TraceDecoder(lens, trace.header);
  const counter = new TraceCounter(lens);
  for await (const record of trace.records) {
    if (record.kind === "mark") counter.mark(record);
    else counter.ioctl(record, decoder.decode(record));
  }
  return counter.result();
}

it("every bundled trace is in the READMEs and the other way round", () => {
  expect(names).toEqual(Object.keys(readme).sort());
});

describe("counts from the bytes are those of the READMEs", () => {
  it.each(names)("%s", async (name) => {
    const { meanOpsPerSparseBind, ...expected } = readme[name] as Partial<TraceCounts>;
    const counts = await count(name);
    expect(counts).toMatchObject(expected);
    if (expected.byPhase) expect(counts.byPhase).toEqual(expected.byPhase);
    // The READMEs give one decimal.
    if (meanOpsPerSparseBind) {
      expect(Math.abs((counts.meanOpsPerSparseBind ?? 0) - meanOpsPerSparseBind)).toBeLessThan(0.0501);
    }
  });
});
