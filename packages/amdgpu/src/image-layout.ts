/**
 * How radv of Mesa 26.2 lays out sparse images of 4-byte texels, one tile of 64 KiB being 128x128 of them.
 *
 * From GFX10 on the smallest mips come first: the tail, then levels up to the largest. GFX9 puts all levels of a layer on one sheet
 * as wide as the largest, so the rows of the others do not fill its pitch:
 *
 * ```text
 *   +---------------+
 *   |               |     2048 x 2048: 16 tiles wide, 24 tiles high
 *   |     mip 0     |
 *   |               |
 *   +-------+---+---+
 *   | mip 1 | 2 |   |
 *   |       +-+-+---+     3 below 2, and right of it 4, and so on, then the tail
 *   |       |3|4|t  |
 *   +-------+-+-+---+
 * ```
 *
 * @module
 */

import {
  type ImageLayout,
  type ImageLevel,
  SPARSE_TILE_BYTES,
  type TilesOfLevel,
  tiledLevels,
} from "@vmbind/drm";
import type { AmdgpuGfx } from "./options.ts";

/**
 * The layout of a square image with all mip levels; the recordings have no others.
 *
 * @param gfx - which graphics core
 * @param side - texels of mip 0 in each direction, a power of two, at least 128
 * @throws RangeError for another number
 */
export function radvImageLayout(gfx: AmdgpuGfx, side: number): ImageLayout {
  if (!(side >= 128 && Number.isInteger(Math.log2(side)))) {
    throw new RangeError(`side: ${side} is not a power of two from 128 on`);
  }
  const levels = tiledLevels(side, side);
  return gfx === "9.0" ? onOneSheet(levels) : smallestFirst(levels);
}

function smallestFirst(levels: readonly TilesOfLevel[]): ImageLayout {
  let offset = SPARSE_TILE_BYTES;
  const placed = levels.toReversed().map(({ width, height }): ImageLevel => {
    const level = { offset, width, height };
    offset += width * height * SPARSE_TILE_BYTES;
    return level;
  });
  return { levels: placed.reverse(), tailOffset: 0, layerStride: offset };
}

function onOneSheet(levels: readonly TilesOfLevel[]): ImageLayout {
  const { width: pitch, height: rows } = levels[0] as TilesOfLevel;
  const at = (column: number, row: number): number => (row * pitch + column) * SPARSE_TILE_BYTES;
  let column = 0;
  let row = 0;
  const placed = levels.map(({ width, height }, level): ImageLevel => {
    const offset = at(column, row);
    if (level === 0) row = rows;
    else if (level === 2) row += height;
    else column += width;
    return { offset, width, height, pitch };
  });
  const sheetRows = levels.length > 1 ? rows + Math.ceil(rows / 2) : rows + 1;
  return { levels: placed, tailOffset: at(column, row), layerStride: at(0, sheetRows) };
}
