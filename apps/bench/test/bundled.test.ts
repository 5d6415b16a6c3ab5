/** Chunks of the bundled program: what they see, and what V8 compiled of them before. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { tempFolder } from "../../../test/temp.ts";

const folder = tempFolder();

function chunk(name: string, text: string): URL {
  writeFileSync(join(folder, name), text);
  return pathToFileURL(join(folder, name));
}

/** As in a process of its own. */
async function fresh(): Promise<typeof import("../src/process/bundled.ts")> {
  vi.resetModules();
  return import("../src/process/bundled.ts");
}

const A = chunk(
  "a.cjs",
  'const b = require("./b.cjs"); exports.sum = () => b.twice(4) + b.path("x").length;',
);
const B = chunk(
  "b.cjs",
  `const path = require("node:path"); exports.runs = (exports.runs ?? 0) + 1;
exports.twice = (n) => n * 2; exports.path = path.basename; exports.here = [__dirname, __filename];
exports.fail = () => { throw new Error("here"); }; exports.load = () => importModule("./c.mjs");`,
);
chunk("c.mjs", "export const c = 7;");

describe("a chunk", () => {
  it("runs once, and finds others beside it, Node's modules and files", async () => {
    const { runChunk } = await fresh();
    const b = runChunk(B) as {
      runs: number;
      here: string[];
      fail(): void;
      load(): Promise<{ c: number }>;
    };
    expect((runChunk(A) as { sum(): number }).sum()).toBe(9);
    expect(runChunk(B)).toBe(b);
    expect(b).toMatchObject({ runs: 1, here: [folder, join(folder, "b.cjs")] });
    expect((await b.load()).c).toBe(7);
    expect(() => b.fail()).toThrow("here");
    try {
      b.fail();
    } catch (error) {
      expect((error as Error).stack).toContain("b.cjs:3:");
    }
  });

  it("runs the same from what was compiled before, whole, of another text, or broken", async () => {
    const before = await fresh();
    expect((before.runChunk(A) as { sum(): number }).sum()).toBe(9);
    before.keepCompiled();
    for (const name of ["a", "b"]) expect(existsSync(join(folder, `${name}.cjs.code`))).toBe(true);
    for (const change of [
      () => {},
      () => chunk("b.cjs.code", "nonsense"),
      () => chunk("a.cjs", "exports.sum = () => 10;"),
    ]) {
      change();
      const { sum } = (await fresh()).runChunk(A) as { sum(): number };
      expect(sum()).toBe(change.toString().includes("10") ? 10 : 9);
    }
  });
});
