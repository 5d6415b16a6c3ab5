/**
 * A small resource on a fresh device, and what happens to it: tiles are bound and unbound, the GPU reads and writes. Every request
 * begins anew and does all acts, so that taking one back is asking without it.
 */

import { type StrategyRun, sparseStrategy, startRun } from "@vmbind/lab";
import type { AddressSpace } from "@vmbind/mmu";

/** Bytes of a tile: whole blocks of every driver. */
const TILE_BYTES = 65536;

/** Something that is done to a tile. */
export type TileAct =
  | { readonly does: "bind" | "unbind" | "read"; readonly tile: number }
  | { readonly does: "write"; readonly tile: number; readonly word: number };

/** What is asked. */
export interface TilesRequest {
  /** How sparse is said. */
  readonly strategy: string;
  /** False for a plain range of addresses, about whose unbound tiles the driver is told nothing. */
  readonly sparse: boolean;
  /** How many tiles there are. */
  readonly tiles: number;
  /** In order. */
  readonly acts: readonly TileAct[];
}

/** A tile at the end, as the page tables have it. */
export interface TileLook {
  /** Whether memory of the application is bound. */
  readonly bound: boolean;
  /** What a walk to it finds: the application's memory, memory that stands in for nothing, an entry without memory, no translation. */
  readonly shows: "memory" | "stand-in" | "nothing" | "fault";
}

/** What came of an act. */
interface ActResult {
  /** The word that was read or written; null where the GPU faulted, and for bind and unbind. */
  readonly word: number | null;
  /** Why the access faulted; null where it did not. */
  readonly fault: string | null;
}

/** The answer. */
export interface TilesAnswer {
  /** One for each tile. */
  readonly tiles: readonly TileLook[];
  /** One for each act. */
  readonly results: readonly ActResult[];
  /** VM_BIND operations in all. */
  readonly operations: number;
}

const RESOURCE = "image";
const MEMORY = "memory";

/**
 * @param request - acts on tiles that are there
 * @returns how the tiles are in the end, and what came of each act
 * @throws RangeError for a strategy that is in no table, or a tile that is not there
 */
export async function tryTiles({ strategy, sparse, tiles, acts }: TilesRequest): Promise<TilesAnswer> {
  const run = await startRun(sparseStrategy(strategy));
  const size = tiles * TILE_BYTES;
  run.perform({ step: "create", resource: RESOURCE, size, plain: !sparse });
  run.perform({ step: "allocate", memory: MEMORY, size });
  const before = run.total["bindOps"] ?? 0;
  const bound = new Set<number>();
  const results = acts.map((act, i): ActResult => {
    if (!(act.tile >= 0 && act.tile < tiles))
      throw new RangeError(`acts[${i}].tile: ${act.tile} of ${tiles}`);
    return act.does === "read" || act.does === "write" ? access(run, act) : bind(run, act, bound);
  });
  const creation = run.cost.create?.["bindOps"] ?? 0;
  return {
    tiles: Array.from({ length: tiles }, (_, tile) => lookAt(run, tile, bound.has(tile))),
    results,
    operations: creation + (run.total["bindOps"] ?? 0) - before,
  };
}

function bind(run: StrategyRun, { does, tile }: TileAct, bound: Set<number>): ActResult {
  const offset = tile * TILE_BYTES;
  const memory = does === "bind" ? { object: MEMORY, offset } : null;
  run.perform({ step: "bind", resource: RESOURCE, binds: [{ offset, size: TILE_BYTES, memory }] });
  if (does === "bind") bound.add(tile);
  else bound.delete(tile);
  return { word: null, fault: null };
}

/** A fault is one too where the device goes on after it: the shader is not told, the kernel is. */
function access(run: StrategyRun, act: TileAct): ActResult {
  const space = spaceOf(run);
  const faults = space.faults.length;
  const offset = act.tile * TILE_BYTES;
  if (act.does === "write") {
    run.perform({ step: "write", resource: RESOURCE, offset, value: act.word });
  } else run.perform({ step: "read", resource: RESOURCE, offset });
  return {
    word: run.accesses.at(-1)?.value ?? null,
    fault: space.faults.length > faults ? (space.faults.at(-1)?.message ?? "") : null,
  };
}

function lookAt(run: StrategyRun, tile: number, bound: boolean): TileLook {
  const { va, plain } = run.resource(RESOURCE);
  const mirror = plain ? 0 : run.session.mirrorOffset;
  const { kind } = spaceOf(run).walk(va + mirror + tile * TILE_BYTES);
  if (kind === "fault") return { bound, shows: "fault" };
  if (kind === "null") return { bound, shows: "nothing" };
  return { bound, shows: bound ? "memory" : "stand-in" };
}

function spaceOf(run: StrategyRun): AddressSpace {
  run.session.beforeAccess?.();
  return run.session.vm.addressSpace;
}
