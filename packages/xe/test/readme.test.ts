import { readFileSync } from "node:fs";
import { issue } from "@vmbind/gpuvm-core";
import { expect, it } from "vitest";
import { AnvUmd, IOCTL_VM_CREATE, VM_CREATE, XeDevice } from "../src/index.ts";

it("the README's example prints what it says", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const body = code.replace(/^import .*$/gm, "");
  const printed: string[] = [];
  const run = new Function("issue", "AnvUmd", "IOCTL_VM_CREATE", "VM_CREATE", "XeDevice", "console", body);
  run(issue, AnvUmd, IOCTL_VM_CREATE, VM_CREATE, XeDevice, {
    log: (...a: unknown[]) => printed.push(a.join(" ")),
  });
  const promised = [...code.matchAll(/console\.log.*\/\/ (.*)$/gm)].map((m) => m[1]);
  expect(promised).toHaveLength(2);
  expect(printed).toEqual(promised);
});
