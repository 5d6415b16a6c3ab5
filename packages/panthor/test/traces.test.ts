/** What is special in panvk's recordings; `driver-laws` replays them all. */
import type { IoctlCall } from "@vmbind/drm";
import { replay } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import { between, open, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { PanvkUmd } from "../src/index.ts";
import { lens } from "../src/trace.ts";

const asText = (calls: IoctlCall[]) => calls.map(({ arg, buffers }) => sentText(arg, buffers));

describe("the umd sends the bytes that panvk sends", () => {
  const va = 0x7ffffa000000;
  const size = 100_000_000;
  it.each(["sparse", "blackhole"] as const)("buffer-100e6, %s", async (strategy) => {
    const records = await recordsOf(`panthor-${strategy}-buffer-100e6`);
    const recorded = (from: string, to: string) => between(records, from, to).map(recordedText);
    const umd = new PanvkUmd({ strategy, dummyHandle: 6, fence: 3 });
    expect(asText([...umd.setup(), ...umd.create(va, size)])).toEqual(recorded("create", "requirements"));
    expect(asText(umd.bind(va, size, []))).toEqual(recorded("wait-idle", "destroy"));
    expect(asText(umd.destroy(va, size))).toEqual(recorded("destroy", "workload-end"));
  });
});

it("marks the sparse mappings of a replay", async () => {
  let sparse: number[] = [];
  await replay(await open("panthor-sparse-buffer-100e6"), lens, {
    before(record, device) {
      if (record.kind !== "mark" || record.mark !== "requirements") return;
      const mappings = [...(device.vm(0, 1)?.mappings() ?? [])];
      sparse = mappings.filter(({ kind }) => kind === "sparse").map(({ range }) => range);
    },
  });
  expect(sparse).toEqual([0x5f5f000]);
});
