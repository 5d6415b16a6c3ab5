/** The estimate of how many mappings a workload will have at a time, against what the model has. */

import { measure, sparseStrategy } from "@vmbind/lab";
import { expect, it } from "vitest";
import { expectedMappings } from "../src/workload/expected-mappings.ts";
import { builtin } from "./traces.ts";

it.each(["buffer-100e6", "buffer-stream"])("is close to what there are: %s", async (workload) => {
  const strategy = sparseStrategy("panthor-per-page");
  const made = builtin(workload);
  const { total } = await measure(made, strategy, { views: false });
  const expected = expectedMappings(made.steps(strategy.blockBytes), strategy);
  expect(expected).toBeGreaterThanOrEqual(total.gpuvasPeak);
  expect(expected).toBeLessThan(total.gpuvasPeak * 1.05);
});

it("counts those that are alive together, of the first VM", () => {
  const create = (resource: string, size: number, more = {}) =>
    ({ step: "create", resource, size, ...more }) as const;
  const steps = [
    create("a", 64),
    create("b", 128, { vm: 1 }),
    create("c", 128, { plain: true }),
    create("d", 192),
    { step: "destroy", resource: "a" } as const,
    create("e", 32),
    { step: "destroy", resource: "b" } as const,
  ];
  expect(expectedMappings(steps, { workOf: (bytes) => ({ operations: bytes, leafEntries: 0 }) })).toBe(260);
  expect(expectedMappings([], { workOf: () => ({ operations: 1, leafEntries: 1 }) })).toBe(0);
});
