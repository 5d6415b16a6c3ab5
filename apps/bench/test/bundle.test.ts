/** When a clone runs what was compiled, and not the bundle. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isBehind } from "../src/process/bundle.ts";

describe("the bundle", () => {
  let folder: string;
  const url = (path: string): URL => pathToFileURL(join(folder, path));

  function note(content: string, seconds: number): void {
    writeFileSync(url("packages/mmu/dist/.tsbuildinfo"), content);
    utimesSync(url("packages/mmu/dist/.tsbuildinfo"), seconds, seconds);
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
    for (const path of ["packages/mmu/dist", "packages/drm", "quick/compiled"]) {
      mkdirSync(url(path), { recursive: true });
    }
    writeFileSync(url("quick/thread.js"), "");
    utimesSync(url("quick/thread.js"), 1000, 1000);
    writeFileSync(url("quick/compiled/mmu.tsbuildinfo"), "as bundled");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    ["is up with packages that were compiled before it", "whatever", 900, false],
    ["is up with packages that were compiled again from the same sources", "as bundled", 1100, false],
    ["is behind packages that were compiled from others", "other", 1100, true],
  ])("%s", (_, content, seconds, behind) => {
    note(content, seconds);
    expect(isBehind(url("quick/thread.js"), url("packages/"))).toBe(behind);
  });

  it("is up where packages are installed", () => {
    expect(isBehind(url("quick/thread.js"), url("packages/"))).toBe(false);
    expect(isBehind(url("quick/thread.js"), url("nothing/"))).toBe(false);
  });
});
