/**
 * Two-dimensional sparse images as user-mode drivers lower them: where the tiles of each mip lie in the resource, and which tiles a
 * bind names (`VkSparseImageMemoryBind`).
 *
 * ```text
 *   mip 0, 4 tiles wide       a bind of 2x2 tiles at 1,0        rows of tiles
 *   +--+--+--+--+             +--+--+--+--+
 *   | 0| 1| 2| 3|             |  |##|##|  |                     tiles 1, 2   memory +0, +1
 *   | 4| 5| 6| 7|             |  |##|##|  |                     tiles 5, 6   memory +2, +3
 * ```
 *
 * Memory goes tile by tile, x fastest; so does the resource where a row of tiles is as long as the pitch, and then rows follow each
 * other in both. What a driver makes of that differs: see the driver's `umd.ts`.
 *
 * @module
 */

import type { SparseBind } from "./umd.ts";

/** Bytes of a tile, whatever the texels are ("Standard Sparse Image Block Shapes" of Vulkan). */
export const SPARSE_TILE_BYTES = 0x1_0000;

/** One mip level of one layer. */
export interface ImageLevel {
  /** Where it begins in the layer, in bytes. */
  readonly offset: number;
  /** Tiles side by side. */
  readonly width: number;
  /** Tiles above one another. */
  readonly height: number;
  /** Tiles from one row to the next: more than {@link ImageLevel.width} where something lies beside the level. The width unless given. */
  readonly pitch?: number;
}

/** How an image lies in its resource. */
export interface ImageLayout {
  /** Mip levels above the tail, of the first layer, the largest first. */
  readonly levels: readonly ImageLevel[];
  /** Where the tail of the first layer begins, in bytes. */
  readonly tailOffset: number;
  /** Bytes from one layer to the next. */
  readonly layerStride: number;
}

/** A VkSparseImageMemoryBind: tiles of one level, side by side and above one another. */
export interface ImageBind {
  /** Layer, 0 unless given. */
  readonly layer?: number;
  /** Mip level. */
  readonly level: number;
  /** First tile from the left. */
  readonly x: number;
  /** First tile from above. */
  readonly y: number;
  /** Tiles side by side. */
  readonly width: number;
  /** Tiles above one another. */
  readonly height: number;
  /** Memory of the first tile; the others follow, x fastest. Null unbinds. */
  readonly memory: SparseBind["memory"];
}

/** How many tiles a level has side by side and above one another. */
export type TilesOfLevel = Pick<ImageLevel, "width" | "height">;

/**
 * The levels of an image of 4-byte texels, whose tiles have 128x128 of them: as many as fill a tile in both directions. Smaller mips
 * are in the tail.
 *
 * @param width - texels of mip 0
 * @param height - texels of mip 0
 * @returns the largest first
 */
export function tiledLevels(width: number, height: number): TilesOfLevel[] {
  const levels: TilesOfLevel[] = [];
  for (let level = 0; width >> level >= 128 && height >> level >= 128; level++) {
    levels.push({ width: Math.ceil((width >> level) / 128), height: Math.ceil((height >> level) / 128) });
  }
  return levels;
}

/**
 * The plain layout: levels one behind the other, the largest first, then the tail; layer behind layer.
 *
 * @param levels - see {@link tiledLevels}
 * @param tailBytes - of a layer's tail, which the driver says: a tile for squares with sides that are powers of two, more for others
 * (nvk has 2 for 1000x700, 3 for 384x640); a tile unless given
 */
export function plainLayout(
  levels: readonly TilesOfLevel[],
  tailBytes: number = SPARSE_TILE_BYTES,
): ImageLayout {
  let offset = 0;
  const placed = levels.map(({ width, height }): ImageLevel => {
    const level = { offset, width, height };
    offset += width * height * SPARSE_TILE_BYTES;
    return level;
  });
  return { levels: placed, tailOffset: offset, layerStride: offset + tailBytes };
}

/**
 * The level that a bind names.
 *
 * @param layout - of the image
 * @param bind - the bind
 * @throws RangeError for tiles outside the level, or a level that is in the tail
 */
export function levelOfBind({ levels }: ImageLayout, bind: ImageBind): ImageLevel {
  const { level, layer = 0, x, y, width, height } = bind;
  const size = levels[level];
  const counts = [layer, x, y, width, height];
  const isInside = size !== undefined && x + width <= size.width && y + height <= size.height;
  if (!isInside || !counts.every((count) => Number.isInteger(count) && count >= 0)) {
    throw new RangeError(`image bind: tiles ${x},${y} +${width}x${height} are not in level ${level}`);
  }
  return size;
}

/**
 * Elements of one bind that continue the one before them, in the resource and in memory, become one with it.
 *
 * @param binds - elements in order; they stay as they are
 * @param joinsUnbinds - whether what has no memory is joined, too
 * @returns the runs
 */
export function joinedBinds(binds: readonly SparseBind[], joinsUnbinds: boolean): SparseBind[] {
  const runs: SparseBind[] = [];
  for (const bind of binds) {
    const last = runs.at(-1);
    const mayJoin = joinsUnbinds || bind.memory !== null;
    if (last !== undefined && mayJoin && continues(last, bind)) last.size += bind.size;
    else runs.push({ ...bind });
  }
  return runs;
}

function continues(last: SparseBind, { resourceOffset, memory }: SparseBind): boolean {
  if (last.resourceOffset + last.size !== resourceOffset) return false;
  if (last.memory === null || memory === null) return last.memory === memory;
  return last.memory.handle === memory.handle && last.memory.offset + last.size === memory.offset;
}

/**
 * A bind row by row.
 *
 * @param layout - of the image
 * @param bind - the bind
 * @returns each row of tiles, with its memory
 * @throws RangeError as {@link levelOfBind} does
 */
export function tileRows(layout: ImageLayout, bind: ImageBind): SparseBind[] {
  const { offset, width: columns, pitch = columns } = levelOfBind(layout, bind);
  const { layer = 0, x, y, width, height, memory } = bind;
  const size = width * SPARSE_TILE_BYTES;
  const first = layer * layout.layerStride + offset;
  return Array.from({ length: height }, (_, row) => ({
    resourceOffset: first + ((y + row) * pitch + x) * SPARSE_TILE_BYTES,
    size,
    memory: memory && { handle: memory.handle, offset: memory.offset + row * size },
  }));
}
