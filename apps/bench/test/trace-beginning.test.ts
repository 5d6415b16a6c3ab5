import type { TraceIoctl } from "@vmbind/trace";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstIoctls } from "../src/files/trace-beginning.ts";
import { bundledTraces, openTrace } from "../src/files/trace-files.ts";

/** What `take` may keep of a record. */
function copyOf({ seq, file, request, argIn, arrays }: TraceIoctl) {
  return {
    seq,
    file,
    request,
    argIn: argIn.slice(),
    arrays: arrays.map((a) => ({ ...a, data: a.data.slice() })),
  };
}

/** The same from a trace that is read as a whole. */
async function plain(trace: string, count: number) {
  const first = [];
  for await (const record of (await openTrace(trace)).records) {
    if (record.kind !== "ioctl") continue;
    first.push(copyOf(record));
    if (first.length === count) break;
  }
  return first;
}

async function quick(trace: string, count: number) {
  const first: ReturnType<typeof copyOf>[] = [];
  await firstIoctls(trace, count, (record) => void first.push(copyOf(record)));
  return first;
}

describe("the beginning of a bundled trace", () => {
  it("has the ioctls of the whole", async () => {
    const traces = bundledTraces().filter((name) => !name.startsWith("msm-image"));
    const trace = fc.constantFrom(...traces);
    await fc.assert(
      fc.asyncProperty(trace, fc.integer({ min: 1, max: 400 }), async (name, count) => {
        expect(await quick(name, count)).toEqual(await plain(name, count));
      }),
      { numRuns: 30 },
    );
  });

  it("is all of a trace that has no more", async () => {
    const all = await plain("xe-igt-null-many", Number.POSITIVE_INFINITY);
    expect(all.length).toBeLessThan(100);
    expect(await quick("xe-igt-null-many", 100)).toEqual(all);
  });
});
