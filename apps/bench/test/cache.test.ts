import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, type JobKind, type JobResult, type JobTask, WorkloadError } from "@vmbind/lab";
import { describe, expect, it } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { CachedEngine } from "../src/cache/cached-engine.ts";
import { codeDigest } from "../src/cache/code-digest.ts";
import { ResultCache } from "../src/cache/result-cache.ts";
import { vmbindIn } from "./run.ts";

const STRATEGY = { name: "xe-null", kernel: "ideal" } as const;
const ROW = { strategy: STRATEGY, axis: "size", x: 65536 } as const;

/** Counts what it is asked; the results are anything. */
class Counting implements Engine {
  done = 0;
  readonly #answer: () => unknown;

  constructor(answer: () => unknown = () => ({ row: this.done })) {
    this.#answer = answer;
  }

  async run<K extends JobKind>(_kind: K, _task: JobTask<K>): Promise<JobResult<K>> {
    this.done++;
    return this.#answer() as JobResult<K>;
  }
}

function entries(path: string): string[] {
  return readdirSync(path).map((name) => join(path, name));
}

describe("a cached engine", () => {
  it("does a job once, however often it is asked, and gives the same", async () => {
    const path = tempFolder();
    const engine = new Counting();
    const first = await new CachedEngine(engine, new ResultCache(path, "code")).run("point", ROW);
    const later = new CachedEngine(engine, new ResultCache(path, "code"));
    expect(await later.run("point", ROW)).toEqual(first);
    expect({ done: engine.done, found: later.found }).toEqual({ done: 1, found: 1 });
  });

  it("does it anew for other code, another kind, another task", async () => {
    const path = tempFolder();
    const engine = new Counting();
    await new CachedEngine(engine, new ResultCache(path, "code")).run("point", ROW);
    await new CachedEngine(engine, new ResultCache(path, "other code")).run("point", ROW);
    const same = new CachedEngine(engine, new ResultCache(path, "code"));
    await same.run("point", { ...ROW, x: 4096 });
    await same.run("semantics", { strategy: STRATEGY });
    const workload = { file: "w.json", content: {} as never };
    await same.run("cost", { workload, strategy: STRATEGY, views: false });
    // A budget is part of the task, though JSON would make {} of a map.
    const budgets = new Map([["steps", 5]]);
    await same.run("cost", { workload: { ...workload, budgets }, strategy: STRATEGY, views: false });
    expect({ done: engine.done, found: same.found }).toEqual({ done: 6, found: 0 });
  });

  it.each([
    ["cut", (text: string) => text.slice(0, -3)],
    ["empty", () => ""],
    ["changed in its result", (text: string) => text.replace('"row":1', '"row":2')],
    ["changed in its key", (text: string) => text.replace('"x":65536', '"x":65537')],
    ["something else", () => "{}"],
    ["binary", () => "\u0000\n\u0000\n\u0000"],
  ])("does a job anew whose entry is %s, and mends the entry", async (_, damage) => {
    const path = tempFolder();
    const engine = new Counting();
    const cached = new CachedEngine(engine, new ResultCache(path, "code"));
    await cached.run("point", ROW);
    const [entry] = entries(path) as [string];
    writeFileSync(entry, damage(readFileSync(entry, "utf8")));
    expect(await cached.run("point", ROW)).toEqual({ row: 2 });
    expect(await cached.run("point", ROW)).toEqual({ row: 2 });
    expect({ done: engine.done, found: cached.found }).toEqual({ done: 2, found: 1 });
  });

  it("keeps the rule that stands in the way, but no defect", async () => {
    const path = tempFolder();
    const refusing = new Counting(() => {
      throw new WorkloadError("too large");
    });
    const cached = new CachedEngine(refusing, new ResultCache(path, "code"));
    for (let i = 0; i < 2; i++) await expect(cached.run("point", ROW)).rejects.toThrow(WorkloadError);
    expect(refusing.done).toBe(1);
    const broken = new Counting(() => {
      throw new TypeError("defect");
    });
    const other = new CachedEngine(broken, new ResultCache(tempFolder(), "code"));
    for (let i = 0; i < 2; i++) await expect(other.run("point", ROW)).rejects.toThrow(TypeError);
    expect(broken.done).toBe(2);
  });

  it("keeps nothing that JSON would change", async () => {
    for (const value of [{ x: Number.NaN }, { x: undefined }, new Map([[1, 2]]), { x: -0 }]) {
      const engine = new Counting(() => value);
      const cached = new CachedEngine(engine, new ResultCache(tempFolder(), "code"));
      for (let i = 0; i < 2; i++) expect(await cached.run("point", ROW)).toBe(value);
      expect(engine.done).toBe(2);
    }
  });

  it("works where there can be no folder", async () => {
    const file = join(tempFolder(), "file");
    writeFileSync(file, "");
    const engine = new Counting();
    const cache = new ResultCache(join(file, "below"), "code");
    const cached = new CachedEngine(engine, cache);
    for (let i = 1; i <= 2; i++) expect(await cached.run("point", ROW)).toEqual({ row: i });
    await cache.close();
  });

  it("works with many writers at once, and leaves whole entries only", async () => {
    const path = tempFolder();
    const engine = new Counting(() => ({ row: "x".repeat(100_000) }));
    const runs = Array.from({ length: 40 }, (_, i) =>
      new CachedEngine(engine, new ResultCache(path, "code")).run("point", { ...ROW, x: i % 4 }),
    );
    expect(new Set((await Promise.all(runs)).map((row) => JSON.stringify(row))).size).toBe(1);
    const before = engine.done;
    const last = new CachedEngine(engine, new ResultCache(path, "code"));
    for (let x = 0; x < 4; x++) await last.run("point", { ...ROW, x });
    expect({ more: engine.done - before, files: entries(path).length }).toEqual({ more: 0, files: 4 });
  });
});

describe("a cache", () => {
  it("is bounded: what was not used for the longest time goes, and what a killed writer left", async () => {
    const path = tempFolder();
    const engine = new Counting(() => ({ row: "x".repeat(1000) }));
    const cache = new ResultCache(path, "code", 20_000);
    const cached = new CachedEngine(engine, cache);
    for (let x = 0; x < 18; x++) await cached.run("point", { ...ROW, x });
    const old = Date.now() / 1000 - 7200;
    for (const entry of entries(path)) utimesSync(entry, old, old);
    writeFileSync(join(path, "left"), "half");
    utimesSync(join(path, "left"), old, old);
    await cached.run("point", { ...ROW, x: 3 });
    for (let x = 18; x < 20; x++) await cached.run("point", { ...ROW, x });
    await cache.close();
    const left = entries(path);
    expect(left.reduce((sum, entry) => sum + statSync(entry).size, 0)).toBeLessThanOrEqual(15_000);
    expect(left).not.toContain(join(path, "left"));
    const before = engine.done;
    for (const x of [3, 18, 19]) await cached.run("point", { ...ROW, x });
    expect(engine.done).toBe(before);
  });
});

it("the code's digest is the same until the code changes", () => {
  expect(codeDigest()).toMatch(/^[0-9a-f]{64}$/);
  expect(codeDigest()).toBe(codeDigest());
});

it("a command with a cache prints the same bytes as without, also when each entry is damaged", async () => {
  const cacheFolder = tempFolder();
  const argv = ["compare", "--workload", "buffer-100e6", "--strategy", "panthor-sparse", "--json"];
  const run = (...more: string[]) => vmbindIn({ cacheFolder, progressLines: true }, ...argv, ...more);
  const plain = await run("--no-cache");
  expect(entries(cacheFolder)).toEqual([]);
  expect((await run()).out).toBe(plain.out);
  expect(entries(cacheFolder).length).toBe(5);
  const cached = await run();
  expect(cached.out).toBe(plain.out);
  expect(cached.err).toContain("5 of 5 found in the cache; --no-cache counts them anew\n");
  for (const entry of entries(cacheFolder)) writeFileSync(entry, readFileSync(entry).subarray(0, 200));
  const damaged = await run();
  expect(damaged.out).toBe(plain.out);
  expect(damaged.err).not.toContain("cache");
});
