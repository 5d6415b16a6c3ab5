/** radv's lowering of images against its recordings, ioctl by ioctl. */

import { type ImageBind, viewOf } from "@vmbind/drm";
import type { TraceIoctl, TraceRecord } from "@vmbind/trace";
import { describe, expect, test } from "vitest";
import { arrayBinds, windowBinds } from "../../../test/image-workloads.ts";
import { callsBehind, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { type AmdgpuGfx, GEM_VA, RadvUmd, radvImageLayout } from "../src/index.ts";

const DEVICES: readonly [prefix: string, gfx: AmdgpuGfx][] = [
  ["amdgpu", "10.3"],
  ["amdgpu-gfx9", "9.0"],
  ["amdgpu-gfx12", "12.0"],
];

/** GEM_VAs behind marks that begin so. */
const behind = (records: readonly TraceRecord[], mark: string) => callsBehind(records, mark, "AMDGPU_GEM_VA");

const va = ({ argIn }: TraceIoctl) => GEM_VA.read(viewOf(argIn));

/** Addresses of 48 bits, of which the kernel gets the sign extended. */
function placeOf(call: TraceIoctl): number {
  return va(call).vaAddress - (2 ** 64 - 2 ** 48);
}

function sent(
  umd: RadvUmd,
  at: number,
  gfx: AmdgpuGfx,
  side: number,
  calls: readonly ImageBind[][],
): string[][] {
  const layout = radvImageLayout(gfx, side);
  return calls
    .flatMap((binds) => umd.bindImage(at, layout, binds))
    .map(({ arg, buffers }) => sentText(arg, buffers));
}

describe.each(DEVICES)("%s", (prefix, gfx) => {
  test("a window over an image: one REPLACE for each tile", async () => {
    const records = await recordsOf(`${prefix}-image-window`);
    const recorded = behind(records, "bind-sparse");
    const [created] = behind(records, "create") as [TraceIoctl];
    const { handle } = va(recorded[0] as TraceIoctl);
    const umd = new RadvUmd({ gfx, images: true });
    const built = sent(umd, placeOf(created), gfx, 16384, [...windowBinds(records, handle)]);
    expect(built).toEqual(recorded.map(recordedText));
    expect(built.length).toBeGreaterThan(3000);
  });

  test("levels and layers: one REPLACE where rows fill the pitch, else one for each row", async () => {
    const records = await recordsOf(`${prefix}-image-array-mips`);
    const recorded = behind(records, "bind-sparse call=").filter((call) => va(call).mapSize > 0);
    const [created] = behind(records, "create") as [TraceIoctl];
    // The tails are bound first and unbound last, a call each.
    const tiles = recorded.slice(16, -16);
    const pools = [tiles[0], tiles[8 * 256]].map((call) => va(call as TraceIoctl).handle) as [number, number];
    const umd = new RadvUmd({ gfx, images: true });
    expect(sent(umd, placeOf(created), gfx, 2048, arrayBinds(pools))).toEqual(tiles.map(recordedText));
    const { tailOffset, layerStride } = radvImageLayout(gfx, 2048);
    const tails = Array.from(
      { length: 16 },
      (_, layer) => placeOf(created) + layer * layerStride + tailOffset,
    );
    expect(recorded.slice(0, 16).map(placeOf)).toEqual(tails);
    expect(recorded.slice(-16).map(placeOf)).toEqual(tails);
    expect(va(created).mapSize).toBe(16 * layerStride);
  });
});

test("an image has one range on every part, and nothing for tiles outside of it", () => {
  for (const [, gfx] of DEVICES) {
    const umd = new RadvUmd({ gfx, images: true });
    expect([umd.create(2 ** 40, 100e6).length, umd.destroy(2 ** 40, 100e6).length]).toEqual([1, 1]);
    const layout = radvImageLayout(gfx, 512);
    const bind = { level: 0, x: 3, y: 0, width: 1, height: 1, memory: null };
    expect(umd.bindImage(2 ** 40, layout, [bind])).toHaveLength(1);
    expect(() => umd.bindImage(2 ** 40, layout, [{ ...bind, width: 2 }])).toThrow("are not in level 0");
    expect(() => umd.bindImage(2 ** 40, layout, [{ ...bind, level: 3 }])).toThrow("are not in level 3");
    expect(() => new RadvUmd({ gfx }).bindImage(2 ** 40, layout, [bind])).toThrow("made for buffers");
    expect(() => radvImageLayout(gfx, 1000)).toThrow("side: 1000 is not a power of two");
  }
});
