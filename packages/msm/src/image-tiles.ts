/**
 * Where the tiles of a sparse image lie on Adreno, as turnip of Mesa 26.2.6 lays them out: 4-byte texels, tiles of 128x128.
 *
 * A Vulkan tile is 64 KiB of memory, but no 64 KiB of addresses. The hardware has tiles of its own, 64x16 texels in 4 KiB, and lays
 * them out row by row through the whole width of the image. So a Vulkan tile is 8 pieces of 8 KiB, each one row of the image
 * further, and swizzled on top:
 *
 * ```text
 * image       |-- pitch: t tiles * 8 KiB ------------------------|
 * row 8*ty    |        |8 KiB|                                   |   memory + 0x0000
 * row 8*ty+1  |        |8 KiB|  with bit 15 of the place flipped |   memory + 0x2000
 *   ...
 * row 8*ty+7  |        |8 KiB|                                   |   memory + 0xe000
 * ```
 *
 * Pages that continue one another both in address and in memory are joined, which happens where rows touch: in mips that are
 * one or few tiles wide.
 *
 * @module
 */

import {
  type ImageBind,
  type ImageLayout,
  levelOfBind,
  plainLayout,
  SPARSE_TILE_BYTES,
  type SparseBind,
  tiledLevels,
} from "@vmbind/drm";

/** Bytes of a tile that lie side by side. */
const ROW_BYTES = 0x2000;
/** Such rows of a tile. */
const ROWS = SPARSE_TILE_BYTES / ROW_BYTES;

/**
 * The layout of a square image of 4-byte texels with all mip levels; others have larger tails, and another swizzle.
 *
 * @param width - texels, a power of two
 * @param height - texels, as many
 * @throws RangeError for an image that is not such a square
 */
export function imageLayout(width: number, height: number): ImageLayout {
  if (width !== height || !Number.isInteger(Math.log2(width))) {
    throw new RangeError(`image: ${width}x${height} is not a square whose side is a power of two`);
  }
  return plainLayout(tiledLevels(width, height));
}

/** Which bits of a place are flipped in a row (seen for pitches that are powers of two). */
function swizzle(row: number, pitch: number): number {
  const bit15 = row % 2 === 1 && pitch % 0x10000 === 0 ? 0x8000 : 0;
  const bit16 = row % 4 >= 2 && pitch % 0x20000 === 0 ? 0x10000 : 0;
  return bit15 | bit16;
}

/**
 * The pieces of a bind, in the order of its memory: tile by tile, row by row, joined where they continue one another.
 *
 * @param layout - of the image
 * @param bind - the bind
 * @returns pieces of the image's address range
 * @throws RangeError for tiles outside the level
 */
export function piecesOf(layout: ImageLayout, bind: ImageBind): SparseBind[] {
  const size = levelOfBind(layout, bind);
  const { layer = 0, x, y, width, height, memory } = bind;
  const pitch = size.width * ROW_BYTES;
  const start = layer * layout.layerStride + size.offset;
  const pieces: SparseBind[] = [];
  let at = 0;
  for (let ty = y; ty < y + height; ty++) {
    for (let tx = x; tx < x + width; tx++) {
      for (let k = 0; k < ROWS; k++, at += ROW_BYTES) {
        const row = ROWS * ty + k;
        const resourceOffset = start + row * pitch + ((tx * ROW_BYTES) ^ swizzle(row, pitch));
        const last = pieces.at(-1);
        // Memory always goes on; for what is unbound it is counted from 0 and not sent.
        if (last !== undefined && last.resourceOffset + last.size === resourceOffset) last.size += ROW_BYTES;
        else {
          const from = memory && { handle: memory.handle, offset: memory.offset + at };
          pieces.push({ resourceOffset, size: ROW_BYTES, memory: from });
        }
      }
    }
  }
  return pieces;
}
