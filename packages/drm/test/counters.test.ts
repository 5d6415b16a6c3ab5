import { expect, test } from "vitest";
import { type CostSchema, UAPI_COSTS, zeroSheet } from "../src/index.ts";

const SCHEMA: CostSchema<"flushes" | "flushedBytes" | keyof typeof UAPI_COSTS> = {
  flushes: { kind: "sum", unit: "count", title: "flushes", how: "Flushes." },
  ...UAPI_COSTS,
  flushedBytes: { kind: "sum", unit: "bytes", title: "bytes flushed", how: "Bytes that they covered." },
};

test("a fresh sheet has every counter of its schema, in its order, at zero", () => {
  const sheet = zeroSheet(SCHEMA);
  expect(Object.keys(sheet)).toEqual(Object.keys(SCHEMA));
  expect(new Set(Object.values(sheet))).toEqual(new Set([0]));
});

test("sheets of one schema count each for itself", () => {
  const [one, other] = [zeroSheet(SCHEMA), zeroSheet(SCHEMA)];
  one.flushes++;
  one.flushedBytes += 2 ** 40;
  expect([other.flushes, other.flushedBytes, one.flushes, one.flushedBytes]).toEqual([0, 0, 1, 2 ** 40]);
  expect(zeroSheet(SCHEMA).flushes).toBe(0);
});
