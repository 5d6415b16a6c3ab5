/**
 * image-mips: an image with mips and layers, as a texture streamer holds one. The tails come first, then each layer's mips from the
 * smallest to the largest; then the largest mips of half of the layers go again.
 *
 * @module
 */

import { IMAGE_TILE_BYTES, SparseImage } from "./image.ts";
import { type SparseElement, type Step, type Workload, WorkloadError } from "./workload.ts";

/** Texels of mip 0, and layers. */
const SIDE = 1024;
const LAYERS = 4;
const MIPS = 11;

/**
 * The workload.
 *
 * @param seed - nothing is drawn
 */
export function imageMips(seed: number): Workload {
  return {
    name: "image-mips",
    description: `an image of ${SIDE} x ${SIDE} texels, ${MIPS} mips and ${LAYERS} layers: tails, all mips, and half of the largest again unbound`,
    seed,
    steps(blockBytes) {
      if (IMAGE_TILE_BYTES % blockBytes !== 0) {
        throw new WorkloadError(
          `image-mips: tiles of ${IMAGE_TILE_BYTES} bytes are not made of blocks of ${blockBytes}`,
        );
      }
      return [...stepsOf(new SparseImage({ width: SIDE, height: SIDE, layers: LAYERS, mips: MIPS }))];
    },
  };
}

function* stepsOf(image: SparseImage): Generator<Step> {
  const resource = "image";
  const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
  yield image.create(resource);
  yield { step: "allocate", memory: "pool", size: image.bytes };
  let used = 0;
  const take = (elements: readonly SparseElement[]): SparseElement[] =>
    elements.map(({ offset, size }) => {
      const memory = { object: "pool", offset: used };
      used += size;
      return { offset, size, memory };
    });
  yield { step: "bind", resource, binds: take(layers.map((layer) => image.tail(layer, null))) };
  for (let mip = image.tiledMips - 1; mip >= 0; mip--) {
    for (const layer of layers)
      yield { step: "bind", resource, binds: take(image.tiles({ layer, mip }, null)) };
  }
  for (const layer of layers.slice(LAYERS / 2)) {
    yield { step: "bind", resource, binds: image.tiles({ layer }, null) };
  }
  yield { step: "destroy", resource };
  yield { step: "free", memory: "pool" };
}
