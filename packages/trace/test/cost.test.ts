import { type CostSchema, UAPI_COSTS } from "@vmbind/drm";
import { PhaseCosts } from "@vmbind/trace";
import { describe, expect, it } from "vitest";

const schema: CostSchema = {
  ...UAPI_COSTS,
  mapSteps: { kind: "sum", unit: "count", title: "map steps", how: "" },
  gpuvasLive: { kind: "level", unit: "count", title: "mappings", how: "" },
};

describe("the costs of phases", () => {
  it("add sums up, take levels as they are, and leave out what no ioctl caused", () => {
    const counters = { ioctls: 3, mapSteps: 10, gpuvasLive: 4 };
    const costs = new PhaseCosts<"bind" | "wait-idle">(schema, counters);
    Object.assign(counters, { ioctls: 4, mapSteps: 12, gpuvasLive: 6 });
    costs.close("bind");
    // A look at the GPU's memory, say.
    counters.mapSteps = 100;
    costs.close("wait-idle");
    Object.assign(counters, { ioctls: 6, mapSteps: 105, gpuvasLive: 1 });
    costs.close("bind");
    expect(costs.sheets()).toEqual({ bind: { ioctls: 3, mapSteps: 7, gpuvasLive: 1 } });
  });
});
