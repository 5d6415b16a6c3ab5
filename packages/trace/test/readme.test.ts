import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

it("the README's test file is one that runs", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, block] = /^```typescript\n([\s\S]*?)^```$/m.exec(readme) ?? [];
  const runs = readFileSync(new URL("../../../apps/bench/test/recording.test.ts", import.meta.url), "utf8");
  expect(block).toBe(runs);
});
