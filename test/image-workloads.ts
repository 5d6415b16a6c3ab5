/** What the client of the recordings asked for of its images, element by element, as `VkSparseImageMemoryBind`s. */

import { type ImageBind, SPARSE_TILE_BYTES, tiledLevels } from "../packages/drm/src/index.ts";
import type { TraceRecord } from "../packages/trace/src/index.ts";

/** Tiles of the window in each direction. */
const WINDOW = 8;
/** Tiles of the image from one row to the next. */
const COLUMNS = 128;

/**
 * image-window: at each step the tiles that come into the window, row by row, on the lowest free tiles of the pool; then those that it
 * left, in the same order. Where the window goes, marks say. A step without a tile is no call.
 */
export function* windowBinds(records: readonly TraceRecord[], handle: number): Generator<ImageBind[]> {
  /** Pool tile of each image tile, by its number. */
  const bound = new Map<number, number>();
  const used = new Set<number>();
  for (const record of records) {
    const step = record.kind === "mark" ? /^step=\d+ x=(\d+) y=(\d+)$/.exec(record.mark) : null;
    if (step === null) continue;
    const { binds, freed } = moveWindow(handle, Number(step[1]), Number(step[2]), bound, used);
    if (binds.length > 0) yield binds;
    for (const tile of freed) used.delete(tile);
  }
}

function moveWindow(handle: number, x: number, y: number, bound: Map<number, number>, used: Set<number>) {
  const inside = (tile: number): boolean => {
    const [tx, ty] = [tile % COLUMNS, Math.floor(tile / COLUMNS)];
    return tx >= x && tx < x + WINDOW && ty >= y && ty < y + WINDOW;
  };
  const one = (tile: number, memory: ImageBind["memory"]): ImageBind => {
    return { level: 0, x: tile % COLUMNS, y: Math.floor(tile / COLUMNS), width: 1, height: 1, memory };
  };
  const left = [...bound.keys()].filter((tile) => !inside(tile)).sort((a, b) => a - b);
  const binds: ImageBind[] = [];
  for (let i = 0; i < WINDOW * WINDOW; i++) {
    const tile = (y + Math.floor(i / WINDOW)) * COLUMNS + x + (i % WINDOW);
    if (bound.has(tile)) continue;
    let free = 0;
    while (used.has(free)) free++;
    used.add(free);
    bound.set(tile, free);
    binds.push(one(tile, { handle, offset: free * SPARSE_TILE_BYTES }));
  }
  const freed = left.map((tile) => bound.get(tile) as number);
  for (const tile of left) {
    bound.delete(tile);
    binds.push(one(tile, null));
  }
  return { binds, freed };
}

/**
 * image-array-mips between its mip tails, call by call: every other tile of mip 0 of 16 layers, one a bind; then every level of every
 * layer whole, from a second pool; then all of it unbound again.
 */
export function arrayBinds([tilesPool, levelsPool]: readonly [number, number]): ImageBind[][] {
  const layers = Array.from({ length: 16 }, (_, layer) => layer);
  const everyOther = layers.flatMap((layer) =>
    Array.from({ length: 128 }, (_, i) => ({ layer, level: 0, x: (2 * i) % 16, y: Math.floor(i / 8) })),
  );
  const single = everyOther.map(
    (tile, i): ImageBind => ({
      ...tile,
      width: 1,
      height: 1,
      memory: { handle: tilesPool, offset: i * SPARSE_TILE_BYTES },
    }),
  );
  const lists = Array.from({ length: 8 }, (_, i) => single.slice(i * 256, (i + 1) * 256));
  let offset = 0;
  const whole = tiledLevels(2048, 2048).map(({ width, height }, level) =>
    layers.map((layer): ImageBind => {
      const memory = { handle: levelsPool, offset };
      offset += width * height * SPARSE_TILE_BYTES;
      return { layer, level, x: 0, y: 0, width, height, memory };
    }),
  );
  const gone = whole.map((binds) => binds.map((bind) => ({ ...bind, memory: null })));
  return [...lists, ...whole, ...gone];
}
