import { readFileSync } from "node:fs";
import { issue } from "@vmbind/gpuvm-core";
import { expect, test } from "vitest";
import * as asahi from "../src/index.ts";

// Runs the code as it stands in the README, so that it cannot go stale.
test("the example prints what it says", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [first, second] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match) =>
    (match[1] as string).replace(/^import.*$/gm, ""),
  );
  const printed: unknown[] = [];
  const run = new Function(
    "issue",
    "AsahiDevice",
    "openHk",
    "console",
    `${first}; return { file, vmId, plan };`,
  );
  const state = run(issue, asahi.AsahiDevice, asahi.openHk, { log: (value: unknown) => printed.push(value) });
  const promised = [...(first as string).matchAll(/console\.log.*?; \/\/ (\d+)/g)].map((match) =>
    Number(match[1]),
  );
  expect(printed).toEqual(promised);
  expect(promised).toHaveLength(2);

  const failing = new Function("file", "vmId", "plan", second as string);
  const message = /\/\/ DrmError: (.*)/.exec(second as string)?.[1] as string;
  expect(() => failing(state.file, state.vmId, state.plan)).toThrow(message);
});
