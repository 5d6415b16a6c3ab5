import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as mmu from "../src/index.ts";

test("the README's example does what its comments say", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const example = readme.match(/```ts\nimport [^\n]*\n([^`]*)```/)?.[1] ?? "";
  const [setup, same, fault] = example.split(/^(?=gpu\.load32)/m) as [string, string, string];
  const run = (expression: string): unknown => new Function("mmu", `${setup}; return ${expression}`)(mmu);
  expect(run(same)).toBe(0xcafe);
  expect(() => run(fault)).toThrow("not-present, level 2");
});
