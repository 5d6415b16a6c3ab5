/** V8 finds an option of a device by the shape that all options of its driver have, whatever was chosen; in a large object without one by its name. */

import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { expect, test } from "vitest";
import { DRIVERS } from "./house.ts";

setFlagsFromString("--allow-natives-syntax");
const hasShape: (object: object) => boolean = runInThisContext("(object) => %HasFastProperties(object)");
const haveOneShape: (a: object, b: object) => boolean = runInThisContext("(a, b) => %HaveSameMap(a, b)");

test.skipIf(!process.versions.v8.startsWith("11.")).each(DRIVERS)("%s", async (driver) => {
  const index = await import(`../packages/${driver}/src/index.ts`);
  const Device = index[Object.keys(index).find((name) => /^[A-Z][a-z]+Device$/.test(name)) as string];
  const chosen = { quirks: "linux-7.3", adoptSyncobjs: true, tlb: null, allocFault: () => false };
  // A member that is for the first time of another kind changes the shape, once for all.
  new Device(chosen);
  const [one, other] = [new Device().options, new Device(chosen).options];
  expect([one, one.quirks, other].map(hasShape)).toEqual([true, true, true]);
  expect(haveOneShape(one, other)).toBe(true);
});
