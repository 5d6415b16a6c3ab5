/**
 * A device's sheet keeps its hidden class while it counts, and so what is compiled for it: a count that V8 takes for a fraction would
 * give that of every driver another one. Asked of one V8, whose ways these are.
 */

import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { zeroSheet } from "@vmbind/drm";
import { lensOf, replayTrace } from "@vmbind/lab";
import { expect, it } from "vitest";
import { open } from "../../../test/recordings.ts";

setFlagsFromString("--allow-natives-syntax");
const haveSameMap: (a: object, b: object) => boolean = runInThisContext("(a, b) => %HaveSameMap(a, b)");

it
  .skipIf(!process.versions.v8.startsWith("11."))
  .each([
    "asahi-image-array-mips",
    "panthor-blackhole-image-3d",
    "panthor-sparse-image-3d",
    "xe-image-3d",
    "xe-igt-mixed-binds-3145728",
  ])("after %s", async (name) => {
  const trace = await open(name);
  const { costSchema } = await lensOf(trace);
  const before = zeroSheet(costSchema);
  await replayTrace(trace, {}, {});
  expect(haveSameMap(before, zeroSheet(costSchema))).toBe(true);
});
