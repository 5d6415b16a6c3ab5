/**
 * The simulator sees what is wrong: every fault of `faults/` within a stated number of ioctls. A sample runs here; all of them:
 *
 *     VMBIND_FAULTS=all node_modules/.bin/vitest run apps/bench/test/simulator.test.ts
 */

import { afterEach, describe, expect, it } from "vitest";
import { fuzz } from "../src/fuzz/fuzz.ts";
import { SESSION_CALLS, type SessionFinding, type Target } from "../src/fuzz/session.ts";
import { runSimulation } from "../src/fuzz/simulation.ts";
import { targetFor } from "../src/fuzz/targets.ts";
import { repair } from "./faults/inject.ts";
import { FAULTS } from "./faults/table.ts";
import { tempFile, vmbind } from "./run.ts";

afterEach(repair);

const SEED = 20261128;
/** Invariants are looked at behind so many ioctls. */
const EVERY = 20;
/** Of the faults of each driver, those that run unless all are asked for. */
const SAMPLE_STEP = 3;

const CASES = FAULTS.flatMap((fault) => fault.drivers.map((driver) => ({ ...fault, driver }))).sort((a, b) =>
  a.driver < b.driver ? -1 : a.driver > b.driver ? 1 : 0,
);
const SHOWN = process.env["VMBIND_FAULTS"] === "all" ? CASES : CASES.filter((_, i) => i % SAMPLE_STEP === 0);

/** Simulates until something is found, or so many ioctls were issued. */
function search(target: Target, most: number): { ioctls: number; found: SessionFinding | null } {
  let ioctls = 0;
  for (let session = 0; ioctls < most; session++) {
    const device = session % target.fuzz.devices.length;
    const result = runSimulation(target, SEED, session, device, SESSION_CALLS, EVERY);
    ioctls += result.issued;
    if (result.found !== null) return { ioctls, found: result.found };
  }
  return { ioctls, found: null };
}

describe("the simulator finds", () => {
  it("about 30 kinds of faults, each of which it is told of once", () => {
    expect(FAULTS.length).toBeGreaterThanOrEqual(28);
    const names = CASES.map(({ driver, name }) => `${driver}: ${name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(SHOWN)("$driver: $name, within $within ioctls", async ({ driver, within, inject }) => {
    const target = await targetFor(driver);
    inject();
    const { ioctls, found } = search(target, within);
    if (process.env["VMBIND_FAULTS"] === "all") {
      process.stdout.write(
        `${driver} ${ioctls} ${found?.finding.kind}: ${found?.finding.text.slice(0, 90)}\n`,
      );
    }
    expect(found).not.toBeNull();
  });
});

describe("what the simulator found", () => {
  it.each([
    [
      "what is evicted stays in the page tables",
      /"mark":"evict \d \d+"/,
      /the memory of BO \d+ of file \d is taken/,
    ],
    ["jobs do not wait for their fences", /"mark":"fence \d \d+ \d+"/, /gets fence \d+ of another device/],
  ])("is shrunk, replays and explains: %s", async (name, mark, words) => {
    const target = await targetFor("panthor");
    FAULTS.find((fault) => fault.name === name)?.inject();
    const result = fuzz(target, { seed: 4, runs: 8000, check: false, kinds: ["simulation"] });
    expect(result.finding?.kind).toBe("pages");
    expect(result.reproducerCalls).toBeLessThan(12);
    const text = result.reproducer as string;
    expect(text).toMatch(mark);
    const trace = tempFile("simulated.jsonl", text);
    const broken = await vmbind("replay", "--check", trace);
    expect([broken.status, broken.out]).toEqual([1, expect.stringContaining("pages: expected none")]);
    // The model as it is has nothing of the kind.
    repair();
    const right = await vmbind("replay", "--check", trace);
    expect(right.out).not.toContain("pages: expected none");
    expect((await vmbind("explain", trace)).out).toMatch(words);
  });
});
