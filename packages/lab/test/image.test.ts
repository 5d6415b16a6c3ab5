/** Images as ranges: the sizes that drivers report, and tiles that meet neither each other nor a tail. */
import {
  checkSteps,
  IMAGE_TILE_BYTES,
  imageMips,
  lensOf,
  SPARSE_STRATEGIES,
  SparseImage,
  type Step,
  startRun,
} from "@vmbind/lab";
import { canonicalSteps, liftTrace } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { open } from "../../../test/recordings.ts";
import { canonicalOf } from "./canonical.ts";

function count(taken: Uint8Array, offset: number): void {
  const tile = offset / IMAGE_TILE_BYTES;
  taken[tile] = (taken[tile] ?? 0) + 1;
}

describe("an image", () => {
  it.each([
    ["16384 x 16384, 15 mips", { width: 16384, height: 16384, mips: 15 }, 0x5556_0000, 8, 0x1_0000],
    [
      "2048 x 2048, 12 mips, 16 layers",
      { width: 2048, height: 2048, mips: 12, layers: 16 },
      0x1560_0000,
      5,
      0x1_0000,
    ],
    ["512^3 of bytes", { width: 512, height: 512, depth: 512, texelBytes: 1 }, 0x800_0000, 1, 0],
  ])("of %s is as large as nvk and turnip report it", (_, shape, bytes, tiledMips, tailBytes) => {
    expect(new SparseImage(shape)).toMatchObject({ bytes, tiledMips, tailBytes });
  });

  it.each(["nouveau", "msm"])("whose tail is bound is what %s recorded", async (driver) => {
    const trace = await open(`${driver}-image-unbound`);
    const { steps } = await liftTrace(trace, await lensOf(trace));
    const image = new SparseImage({ width: 16384, height: 16384, mips: 15 });
    const asked: Step[] = [
      image.create("image"),
      { step: "allocate", memory: "tail", size: image.tailBytes },
      { step: "bind", resource: "image", binds: [image.tail(0, { object: "tail", offset: 0 })] },
      { step: "destroy", resource: "image" },
    ];
    expect(canonicalSteps(steps)).toEqual(canonicalOf(asked, 2 ** 12));
  });

  it("is made of its tiles and tails, each byte once", () => {
    const shape = fc.record({
      width: fc.integer({ min: 1, max: 700 }),
      height: fc.integer({ min: 1, max: 700 }),
      layers: fc.integer({ min: 1, max: 3 }),
      texelBytes: fc.constantFrom(1, 2, 4, 8, 16),
    });
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 10 }), (given, mips) => {
        const most = 1 + Math.floor(Math.log2(Math.max(given.width, given.height)));
        const image = new SparseImage({ ...given, mips: Math.min(mips, most) });
        const taken = new Uint8Array(image.bytes / IMAGE_TILE_BYTES);
        for (let layer = 0; layer < given.layers; layer++) {
          for (let mip = 0; mip < image.tiledMips; mip++) {
            for (const { offset } of image.tiles({ layer, mip }, null)) count(taken, offset);
          }
          if (image.tailBytes === 0) continue;
          const { offset, size } = image.tail(layer, null);
          for (let at = offset; at < offset + size; at += IMAGE_TILE_BYTES) count(taken, at);
        }
        expect(taken.every((times) => times === 1)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [{ width: 0, height: 1 }, "width: 0 is not 1 or more"],
    [{ width: 4, height: 4, mips: 4 }, "mips: 4 are more than the 3 of this size"],
    [{ width: 4, height: 4, texelBytes: 3 }, "texelBytes: 3 is not 1, 2, 4, 8 or 16"],
    [{ width: 4, height: 4, depth: 2, layers: 2 }, "layers: an image with depth has one"],
  ])("%j is refused", (shape, message) => {
    expect(() => new SparseImage(shape)).toThrow(message);
  });

  it("has the tiles that it has", () => {
    const image = new SparseImage({ width: 256, height: 256 });
    const memory = { object: "m", offset: 0 };
    expect(image.tiles({ x: 1 }, memory).map(({ offset }) => offset / IMAGE_TILE_BYTES)).toEqual([1, 3]);
    expect(() => image.tiles({ x: 1, columns: 2 }, memory)).toThrow(
      "mip 0 has 2 x 2 x 1 of them, not those up to 3 x 2 x 1",
    );
    expect(() => image.tiles({ mip: 1 }, memory)).toThrow("mip: 1 has no tiles; 1 have");
    expect(() => image.tail(0, memory)).toThrow("the image has none");
  });
});

it.each(SPARSE_STRATEGIES.map((strategy) => ({ strategy, name: strategy.name })))(
  "image-mips runs under $name",
  { timeout: 60_000 },
  async ({ strategy }) => {
    const steps = imageMips(1).steps(strategy.blockBytes);
    checkSteps(steps, strategy.blockBytes);
    const run = await startRun(strategy);
    for (const step of steps) run.perform(step);
    expect(run.resources.size).toBe(0);
  },
);
