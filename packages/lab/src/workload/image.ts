/**
 * Sparse images: tiles, mips, layers and tails as ranges of a resource.
 *
 * The layout is the plain one: layer behind layer; in a layer mips from the largest on, each as its tiles of 64 KiB, row by row and slice
 * by slice; behind them the layer's tail, with all mips that are smaller than a tile. nvk and turnip report the same sizes (Mesa
 * 26.2). Others pad layers, put the smallest mips first, or cut a tile into pieces: what those make of it only recordings show.
 *
 * Tiles have Vulkan's standard shapes for one sample ("Standard Sparse Image Block Shapes").
 *
 * @module
 */

import type { CreateStep, MemoryRange, SparseElement } from "./workload.ts";

/** Bytes of a tile. */
export const IMAGE_TILE_BYTES = 0x1_0000;

/** An image. */
export interface ImageShape {
  /** Texels of mip 0. */
  width: number;
  /** Texels of mip 0. */
  height: number;
  /** Texels of mip 0; more than 1 makes it three-dimensional. 1 unless told. */
  depth?: number;
  /** Layers, of a two-dimensional image. 1 unless told. */
  layers?: number;
  /** Mips, at most as many as halving leaves. 1 unless told. */
  mips?: number;
  /** Bytes of a texel: 1, 2, 4, 8 or 16. 4 unless told. */
  texelBytes?: number;
}

/** Tiles of a mip: where they begin, and how many there are, counted in tiles. */
export interface TileBox {
  /** Layer; 0 unless told. */
  layer?: number;
  /** Mip; 0 unless told. */
  mip?: number;
  /** First column; 0 unless told. */
  x?: number;
  /** First row; 0 unless told. */
  y?: number;
  /** First slice; 0 unless told. */
  z?: number;
  /** Columns; all from `x` on unless told. */
  columns?: number;
  /** Rows; all from `y` on unless told. */
  rows?: number;
  /** Slices; all from `z` on unless told. */
  slices?: number;
}

/** log2 of the width, height and depth of a tile in texels, by log2 of a texel's bytes. */
const TILES_2D = [
  [8, 8, 0],
  [8, 7, 0],
  [7, 7, 0],
  [7, 6, 0],
  [6, 6, 0],
] as const;
const TILES_3D = [
  [6, 5, 5],
  [5, 5, 5],
  [5, 5, 4],
  [5, 4, 4],
  [4, 4, 4],
] as const;

interface Level {
  /** Tiles from the start of the layer. */
  first: number;
  columns: number;
  rows: number;
  slices: number;
}

/** A sparse image as ranges of a resource. */
export class SparseImage {
  /** Bytes of the resource. */
  readonly bytes: number;
  /** Mips that have tiles; those from here on are in the tail. */
  readonly tiledMips: number;
  /** Bytes of a layer. */
  readonly layerBytes: number;
  /** Bytes of a layer's tail, 0 for none. */
  readonly tailBytes: number;
  readonly #levels: readonly Level[];
  readonly #layers: number;

  /**
   * @param shape - the image
   * @throws RangeError for a shape that there is not
   */
  constructor({ width, height, depth = 1, layers = 1, mips = 1, texelBytes = 4 }: ImageShape) {
    const texel = [1, 2, 4, 8, 16].indexOf(texelBytes);
    if (texel < 0) throw new RangeError(`texelBytes: ${texelBytes} is not 1, 2, 4, 8 or 16`);
    for (const [name, value] of Object.entries({ width, height, depth, layers, mips })) {
      if (!(Number.isInteger(value) && value >= 1))
        throw new RangeError(`${name}: ${value} is not 1 or more`);
    }
    if (depth > 1 && layers > 1) throw new RangeError("layers: an image with depth has one");
    const most = 1 + Math.floor(Math.log2(Math.max(width, height, depth)));
    if (mips > most) throw new RangeError(`mips: ${mips} are more than the ${most} of this size`);
    const [w, h, d] = (depth > 1 ? TILES_3D : TILES_2D)[texel] as readonly [number, number, number];
    const levels: Level[] = [];
    let first = 0;
    let tail = 0;
    for (let mip = 0; mip < mips; mip++) {
      const size = [width, height, depth].map((texels) => Math.max(1, Math.floor(texels / 2 ** mip)));
      const [texelsX, texelsY, texelsZ] = size as [number, number, number];
      // A mip that is smaller than a tile, and all behind it, are in the tail.
      if (tail > 0 || texelsX < 2 ** w || texelsY < 2 ** h || texelsZ < 2 ** d) {
        tail += texelsX * texelsY * texelsZ * texelBytes;
        continue;
      }
      const level = {
        first,
        columns: Math.ceil(texelsX / 2 ** w),
        rows: Math.ceil(texelsY / 2 ** h),
        slices: Math.ceil(texelsZ / 2 ** d),
      };
      levels.push(level);
      first += level.columns * level.rows * level.slices;
    }
    this.#levels = levels;
    this.#layers = layers;
    this.tiledMips = levels.length;
    this.tailBytes = Math.ceil(tail / IMAGE_TILE_BYTES) * IMAGE_TILE_BYTES;
    this.layerBytes = first * IMAGE_TILE_BYTES + this.tailBytes;
    this.bytes = layers * this.layerBytes;
  }

  /**
   * @param resource - name of the image
   * @returns the step that creates it
   */
  create(resource: string): CreateStep {
    return { step: "create", resource, size: this.bytes };
  }

  /**
   * Tiles of a mip, one element a tile, as applications name them: columns first, then rows, then slices.
   *
   * @param box - which
   * @param memory - where their memory begins, one tile behind the other; null unbinds
   * @returns the elements
   * @throws RangeError for tiles that the image does not have
   */
  tiles(box: TileBox, memory: MemoryRange | null): SparseElement[] {
    const { layer = 0, mip = 0, x = 0, y = 0, z = 0 } = box;
    const level = this.#levels[mip];
    if (level === undefined) throw new RangeError(`mip: ${mip} has no tiles; ${this.tiledMips} have`);
    if (!(layer >= 0 && layer < this.#layers)) throw new RangeError(`layer: there is no ${layer}`);
    const { columns = level.columns - x, rows = level.rows - y, slices = level.slices - z } = box;
    if (
      x < 0 ||
      y < 0 ||
      z < 0 ||
      x + columns > level.columns ||
      y + rows > level.rows ||
      z + slices > level.slices
    ) {
      throw new RangeError(
        `tiles: mip ${mip} has ${level.columns} x ${level.rows} x ${level.slices} of them, not those up to ` +
          `${x + columns} x ${y + rows} x ${z + slices}`,
      );
    }
    const elements: SparseElement[] = [];
    const size = IMAGE_TILE_BYTES;
    for (let slice = z; slice < z + slices; slice++) {
      for (let row = y; row < y + rows; row++) {
        for (let column = x; column < x + columns; column++) {
          const tile = level.first + (slice * level.rows + row) * level.columns + column;
          const at = memory && { object: memory.object, offset: memory.offset + elements.length * size };
          elements.push({ offset: layer * this.layerBytes + tile * size, size, memory: at });
        }
      }
    }
    return elements;
  }

  /**
   * The tail of a layer.
   *
   * @param layer - which
   * @param memory - its memory; null unbinds
   * @returns the element
   * @throws RangeError for an image without a tail, or a layer that there is not
   */
  tail(layer: number, memory: MemoryRange | null): SparseElement {
    if (this.tailBytes === 0) throw new RangeError("tail: the image has none");
    if (!(layer >= 0 && layer < this.#layers)) throw new RangeError(`layer: there is no ${layer}`);
    const offset = (layer + 1) * this.layerBytes - this.tailBytes;
    return { offset, size: this.tailBytes, memory };
  }
}
