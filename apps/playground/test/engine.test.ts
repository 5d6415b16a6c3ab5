import { DRIVERS } from "@vmbind/lab";
import { expect, test } from "vitest";
import { engineInProcess } from "../src/engine/in-process.ts";

test("a request is answered with what its handler gives", async () => {
  expect(await engineInProcess().ask("list-drivers", undefined)).toEqual([...DRIVERS.keys()]);
});

test("a request that was given up is not answered, and those behind it are", async () => {
  const engine = engineInProcess();
  const giveUp = new AbortController();
  const first = engine.ask("list-drivers", undefined, { signal: giveUp.signal });
  const second = engine.ask("list-drivers", undefined);
  giveUp.abort();
  await expect(first).rejects.toThrow(/abort/i);
  expect(await second).toContain([...DRIVERS.keys()][0]);
});
