import { type MappingTuple, regionsOf, type TraceStory, tellStory } from "@vmbind/trace";
import { beforeAll, describe, expect, it } from "vitest";
import { open as openTrace } from "../../../test/recordings.ts";
import { lensOf, replayTrace } from "../src/index.ts";

const TRACE = "panthor-blackhole-image-window";

let story: TraceStory;

beforeAll(async () => {
  story = await tellStory(await openTrace(TRACE), await lensOf(await openTrace(TRACE)));
}, 60_000);

/** All but the kind. */
function text([vm, addr, range, _, bo, offset]: MappingTuple): string {
  return `${vm} ${addr} ${range} ${bo} ${offset}`;
}

describe("a story", () => {
  it("tells memory from the object that stands in for it", () => {
    const handles = story.kinds.map(
      (_, kind) =>
        new Set(story.moments.flatMap((m) => m.added.flatMap((a) => (a[3] === kind ? [a[4]] : [])))),
    );
    const blackhole = story.kinds.indexOf("MAP blackhole");
    expect(handles[blackhole]?.size).toBe(1);
    const memory = handles[story.kinds.indexOf("MAP memory")];
    expect(memory?.size).toBeGreaterThan(0);
    for (const handle of handles[blackhole] ?? []) expect(memory?.has(handle)).toBe(false);
  });

  it.each([
    TRACE,
    "panthor-sparse-image-3d",
    "asahi-image-window",
    "asahi-many-small",
    "xe-image-window",
    "xe-igt-unbind-all-8-vmas",
    "xe-igt-munmap-style-unbind-many-all",
  ])("has every mapping of every moment, played forward from the start: %s", async (name) => {
    const expected: string[] = [];
    const story = await tellStory(await openTrace(name), await lensOf(await openTrace(name)));
    await replayTrace(await openTrace(name), {
      after: (record, device) => {
        if (record.kind === "mark") return;
        expected.push(
          [...device.file(0).vms()]
            .flatMap(([id, vm]) =>
              [...vm.mappings()].map(({ addr, range, bo, offset }) => text([id, addr, range, 0, bo, offset])),
            )
            .join("\n"),
        );
      },
    });
    expect(story.moments).toHaveLength(expected.length);
    const mapped = new Map<string, MappingTuple>();
    for (const [seq, { added, removed }] of story.moments.entries()) {
      for (const [vm, addr] of removed) mapped.delete(`${vm} ${addr}`);
      for (const mapping of added) mapped.set(`${mapping[0]} ${mapping[1]}`, mapping);
      const played = [...mapped.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(played.map(text).join("\n"), `#${seq}`).toBe(expected[seq]);
    }
  });

  it("counts what replay counts", async () => {
    const result = await replayTrace(await openTrace(TRACE));
    const sum = (name: "pteWrites" | "pteClears" | "tlbInvalidations" | "opCount"): number =>
      story.moments.reduce((n, m) => n + m[name], 0);
    expect(sum("opCount")).toBe(result.counts.bindOps);
    expect(sum("pteWrites")).toBe(result.cost["pteWrites"]);
    expect(sum("pteClears")).toBe(result.cost["pteClears"]);
    expect(sum("tlbInvalidations")).toBe(result.cost["tlbInvalidations"]);
  });

  it("has a place for every mapping", () => {
    for (const [vm, addr, range] of story.moments.flatMap((m) => m.added)) {
      expect(
        story.regions.some((r) => r.vm === vm && r.addr <= addr && addr + range <= r.addr + r.range),
      ).toBe(true);
    }
  });

  it("joins mappings across small gaps only, and more of them when there are many", () => {
    const at = (addr: number): MappingTuple => [1, addr, 4096, 0, 0, 0];
    expect(regionsOf([at(8192), at(0), at(2 ** 32)])).toEqual([
      { vm: 1, addr: 0, range: 12288 },
      { vm: 1, addr: 2 ** 32, range: 4096 },
    ]);
    expect(regionsOf(Array.from({ length: 100 }, (_, i) => at(i * 2 ** 24))).length).toBeLessThanOrEqual(14);
    expect(regionsOf([])).toEqual([]);
  });
});
