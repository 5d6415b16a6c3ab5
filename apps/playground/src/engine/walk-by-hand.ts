/**
 * A walk to go along by hand: a sparse resource with one tile bound, on a fresh device, and every entry that the GPU reads on its way to
 * an address in it.
 */

import { SPARSE_STRATEGIES, type StrategyRun, sparseStrategy, startRun } from "@vmbind/lab";
import { type ToldEntry, toldEntries } from "./told-entries.ts";

/** Where an address is: in the tile that is bound, in one that is not, in front of the resource. */
type WalkPlace = "bound" | "unbound" | "outside";

/** What is asked. */
export interface HandRequest {
  /** Whose page tables. */
  readonly strategy: string;
  /** Which address. */
  readonly place: WalkPlace;
}

/** The walk. */
export interface HandWalk {
  /** Name of the format. */
  readonly format: string;
  /** Width of addresses. */
  readonly vaBits: number;
  /** The address. */
  readonly va: number;
  /** Physical address of the root table, which a register holds. */
  readonly root: number;
  /** What is read, in order. */
  readonly entries: readonly ToldEntry[];
  /** Where it ends. */
  readonly kind: "page" | "null" | "fault";
  /** Physical address of the byte; 0 but for a page. */
  readonly pa: number;
  /** Bytes of the leaf; 0 for a fault. */
  readonly sizeBytes: number;
}

/** A format, and a strategy whose driver uses it. */
export interface WalkFormat {
  /** Name of the format. */
  readonly format: string;
  /** Its driver. */
  readonly driver: string;
  /** Name of the strategy. */
  readonly strategy: string;
}

const RESOURCE = "image";
const MEMORY = "memory";
const RESOURCE_BYTES = 2 ** 22;
const TILE_BYTES = 2 ** 16;
const BOUND_TILE = 3;
/** A byte in the page that is at no border of anything. */
const BYTE = 0x123c;

/** @returns one line for each format and driver, in the order of the strategies */
export async function walkFormats(): Promise<WalkFormat[]> {
  const found: WalkFormat[] = [];
  for (const { name, driver, open, devices } of SPARSE_STRATEGIES) {
    if (found.some((row) => row.driver === driver)) continue;
    const { vm } = await open(devices[0]);
    const format = vm.addressSpace.format.name;
    if (!found.some((row) => row.format === format)) found.push({ format, driver, strategy: name });
  }
  return found;
}

/**
 * @param request - which tables, and where
 * @returns the walk
 * @throws RangeError for a strategy that is in no table
 */
export async function walkByHand({ strategy, place }: HandRequest): Promise<HandWalk> {
  const run = await startRun(sparseStrategy(strategy));
  const offset = BOUND_TILE * TILE_BYTES;
  run.perform({ step: "create", resource: RESOURCE, size: RESOURCE_BYTES });
  run.perform({ step: "allocate", memory: MEMORY, size: TILE_BYTES });
  const memory = { object: MEMORY, offset: 0 };
  run.perform({ step: "bind", resource: RESOURCE, binds: [{ offset, size: TILE_BYTES, memory }] });
  run.session.beforeAccess?.();
  const space = run.session.vm.addressSpace;
  const va = addressAt(run, place);
  const { kind, pa, sizeBytes } = space.walk(va);
  const { format, root } = space;
  return {
    format: format.name,
    vaBits: format.vaBits,
    va,
    root,
    entries: toldEntries(space, va),
    kind,
    pa,
    sizeBytes,
  };
}

function addressAt(run: StrategyRun, place: WalkPlace): number {
  const { va } = run.resource(RESOURCE);
  const start = va + run.session.mirrorOffset;
  if (place === "bound") return start + BOUND_TILE * TILE_BYTES + BYTE;
  if (place === "unbound") return start + (BOUND_TILE + 2) * TILE_BYTES + BYTE;
  // Somewhere that the tables could translate and the user-mode driver has put nothing.
  const { addressSpace } = run.session.vm;
  const far = [2, 4, 8, 16].map((part) => addressSpace.format.vaEnd / part + RESOURCE_BYTES + BYTE);
  return far.find((at) => addressSpace.walk(at).kind !== "page") ?? BYTE;
}
