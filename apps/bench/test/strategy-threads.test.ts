/** A strategy of a module on a thread that has not loaded it: what travels there is a name, a path, a digest and an estimate. */
import { readFileSync, writeFileSync } from "node:fs";
import { doJob, refOf } from "@vmbind/lab";
import { expect, it, vi } from "vitest";
import { strategiesOf } from "../src/strategies/user-strategies.ts";
import { tempFile } from "./run.ts";

it("is found by its path, with what was measured, unless it has changed meanwhile", async () => {
  const example = new URL("../examples/repeat-tail.ts", import.meta.url);
  const module = tempFile("other-thread.ts", readFileSync(example, "utf8"));
  const [strategy] = await strategiesOf(module);
  if (!strategy) throw new Error("no strategy");
  const ref = structuredClone(refOf(strategy, "ideal"));
  const elsewhere = async () => {
    vi.resetModules();
    return (await import("../src/strategies/user-strategies.ts")).findStrategy(ref);
  };
  const other = await elsewhere();
  const facts = ({ name, resourceBytesMax, workOf }: typeof other) => [name, resourceBytesMax, workOf(3e6)];
  expect(facts(other)).toEqual(facts(strategy));
  const task = { strategy: ref, axis: "size", x: 2 ** 21 } as const;
  const outcome = await doJob(
    { kind: "point", task },
    async () => null,
    () => other,
  );
  expect(outcome).toMatchObject({ value: { strategy: "panthor-repeat-tail", figures: { bindOps: 3 } } });
  writeFileSync(module, `${readFileSync(module, "utf8")}\n`);
  await expect(elsewhere()).rejects.toThrow(/other-thread\.ts: it was changed while it was in use$/);
});
