/**
 * Workloads with knobs: how large, how much of it bound, in which pieces and in which order.
 *
 * @module
 */

import { needOneOf } from "@vmbind/drm";
import type { Budgets } from "@vmbind/trace";
import { permutation } from "../random.ts";
import { holdWork, WORK_BUDGETS } from "./work-budget.ts";
import { requiredBytes, type SparseElement, type Step, type Workload } from "./workload.ts";
import { draws } from "./xorshift.ts";

/** In which order tiles are bound. */
export const ORDERS = ["sequential", "random", "window"] as const;

/** One of {@link ORDERS}. */
type Order = (typeof ORDERS)[number];

/** The knobs. */
export interface ParametricOptions {
  /** Bytes of each resource; 64 MiB unless told. */
  size?: number;
  /** Part of each resource that gets bound, 0 to 1; 0.25 unless told. */
  bound?: number;
  /** Bytes of one bind, rounded up to the driver's block; 64 KiB unless told. */
  tile?: number;
  /**
   * `sequential` binds from the start on, `random` at random places, each place once; `window` keeps that part bound and
   * moves it from the start to the end of the resource, a quarter of its length a call. `sequential` unless told.
   */
  order?: Order;
  /** Resources, one after the other created and bound, then destroyed in the same order; 1 unless told. */
  resources?: number;
  /** Binds of one vkQueueBindSparse; 64 unless told. A move of the window is one call. */
  bindsPerCall?: number;
}

/** The knobs unless told. @internal */
export const USUAL_KNOBS: Required<Omit<ParametricOptions, "order">> = {
  size: 2 ** 26,
  bound: 0.25,
  tile: 2 ** 16,
  resources: 1,
  bindsPerCall: 64,
};

/**
 * @param options - the knobs
 * @returns binds of the workload, those that take away included, where a driver's block is no larger than a tile
 */
export function parametricBinds(options: ParametricOptions): number {
  const { size, bound, tile, resources, order = "sequential" } = { ...USUAL_KNOBS, ...options };
  const tiles = Math.ceil(size / tile);
  return resources * bindsOf(order, tiles, Math.round(tiles * bound));
}

/**
 * A workload with these knobs. A resource's memory is one object of just the size that is needed.
 *
 * @param name - of the workload
 * @param seed - of the draws
 * @param options - the knobs
 * @param budgets - amounts of work other than the standard ones
 * @returns the workload; its `steps()` throw {@link WorkloadError} for more binds than the budget, before they are made
 * @throws RangeError for an order that there is none of
 */
export function parametric(
  name: string,
  seed: number,
  options: ParametricOptions = {},
  budgets?: Budgets,
): Workload {
  const knobs = { ...USUAL_KNOBS, ...options };
  const order = knobs.order ?? "sequential";
  needOneOf("order", order, ORDERS);
  return {
    name,
    description:
      `${knobs.resources} x ${knobs.size} bytes, ${Math.round(knobs.bound * 100)} % bound ` +
      `in tiles of ${knobs.tile} bytes, ${order}`,
    seed,
    steps(blockBytes) {
      const draw = draws(seed);
      const tileBytes = requiredBytes(knobs.tile, blockBytes);
      const end = requiredBytes(knobs.size, blockBytes);
      const tiles = Math.ceil(end / tileBytes);
      const bound = Math.round(tiles * knobs.bound);
      holdWork(WORK_BUDGETS.binds, knobs.resources * bindsOf(order, tiles, bound), budgets);
      const steps: Step[] = [];
      for (let i = 0; i < knobs.resources; i++) {
        const resource = `buffer-${i}`;
        const layout = new Tiles(tileBytes, end, `pool-${i}`);
        steps.push({ step: "create", resource, size: knobs.size });
        if (bound === 0) continue;
        const calls =
          order === "window"
            ? moving(layout, tiles, bound)
            : chunks(places(order, tiles, bound, draw), knobs.bindsPerCall, layout);
        steps.push({ step: "allocate", memory: layout.pool, size: layout.poolTiles * tileBytes });
        for (const binds of calls) steps.push({ step: "bind", resource, binds });
      }
      steps.push({ step: "wait-idle" });
      for (let i = 0; i < knobs.resources; i++) {
        steps.push({ step: "destroy", resource: `buffer-${i}` });
        if (bound > 0) steps.push({ step: "free", memory: `pool-${i}` });
      }
      return steps;
    },
  };
}

/** Binds of one resource, those that take away included; to draw random places is as much work as to bind all of them. */
function bindsOf(order: Order, tiles: number, bound: number): number {
  if (bound === 0) return 0;
  if (order === "random") return tiles;
  return order === "window" ? bound + 2 * (tiles - bound) : bound;
}

/** Makes elements of tiles, and gives out the pool. */
class Tiles {
  readonly pool: string;
  readonly #tileBytes: number;
  readonly #end: number;
  readonly #freed: number[] = [];
  /** Tiles that the pool must have. */
  poolTiles = 0;

  constructor(tileBytes: number, end: number, pool: string) {
    this.#tileBytes = tileBytes;
    this.#end = end;
    this.pool = pool;
  }

  bind(tile: number, at: number): SparseElement {
    return this.#element(tile, { object: this.pool, offset: at * this.#tileBytes });
  }

  unbind(tile: number): SparseElement {
    return this.#element(tile, null);
  }

  /** The tile of the pool that was given back last, or a new one. */
  take(): number {
    return this.#freed.pop() ?? this.poolTiles++;
  }

  giveBack(at: number): void {
    this.#freed.push(at);
  }

  #element(tile: number, memory: SparseElement["memory"]): SparseElement {
    const offset = tile * this.#tileBytes;
    return { offset, size: Math.min(this.#tileBytes, this.#end - offset), memory };
  }
}

function places(order: Order, tiles: number, bound: number, draw: (below: number) => number): Uint32Array {
  if (order === "random") return permutation(tiles, draw).subarray(0, bound);
  return Uint32Array.from({ length: bound }, (_, i) => i);
}

function chunks(tiles: Uint32Array, perCall: number, layout: Tiles): SparseElement[][] {
  const elements = Array.from(tiles, (tile) => layout.bind(tile, layout.take()));
  const calls: SparseElement[][] = [];
  for (let i = 0; i < elements.length; i += perCall) calls.push(elements.slice(i, i + perCall));
  return calls;
}

/** A window over the tiles; memory that a move frees is used again from the next move on. */
function moving(layout: Tiles, tiles: number, width: number): SparseElement[][] {
  const behind = new Map<number, number>();
  const bind = (tile: number): SparseElement => {
    const at = layout.take();
    behind.set(tile, at);
    return layout.bind(tile, at);
  };
  const calls = [Array.from({ length: width }, (_, tile) => bind(tile))];
  const stride = Math.max(1, Math.floor(width / 4));
  for (let start = 0; start + width < tiles; ) {
    const next = Math.min(start + stride, tiles - width);
    const left = Array.from({ length: next - start }, (_, i) => start + i);
    const entered = left.map((tile) => bind(tile + width));
    calls.push([...entered, ...left.map((tile) => layout.unbind(tile))]);
    for (const tile of left) layout.giveBack(behind.get(tile) as number);
    start = next;
  }
  return calls;
}
