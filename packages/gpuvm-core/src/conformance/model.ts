/**
 * A VM as the vectors of GPUVM drive it: objects by id, steps applied as a plain driver applies them, everything written
 * down in the vectors' words.
 *
 * @module
 */

import { DrmError, GemObject, GemObjects, Resv } from "@vmbind/drm";
import { u64Of } from "@vmbind/drm/conformance";
import { Gpuvm } from "../gpuvm.ts";
import type { RepeatMode } from "../repeat.ts";
import {
  GPUVA_INVALIDATED,
  GPUVA_REPEAT,
  GPUVA_SPARSE,
  type GpuvmOp,
  type MapRequest,
  type MapStep,
  type RemapStep,
  type StepHandlers,
  type UnmapStep,
} from "../steps.ts";

/** A JSON object. */
export type Json = Record<string, unknown>;

const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ["invalidated", GPUVA_INVALIDATED],
  ["sparse", GPUVA_SPARSE],
  ["repeat", GPUVA_REPEAT],
];

/** What a mapping is in a vector. */
function mapping(
  addr: number,
  range: number,
  gem: number | null,
  offset: number,
  flags: number,
  gemRange: number,
  phase: number,
  phases: boolean,
): Json {
  const repeats = (flags & GPUVA_REPEAT) !== 0;
  // Where a format has no phases none is other than 0; one that is shows as a difference.
  const phased = repeats && (phases || phase !== 0);
  return {
    va: u64(addr),
    range: u64(range),
    gem,
    offset: u64(offset),
    flags: FLAG_NAMES.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name),
    ...(repeats ? { gem_range: u64(gemRange) } : {}),
    ...(phased ? { phase: u64(phase) } : {}),
  };
}

/** A number as the vectors write it. */
export function u64(value: number): string {
  return `0x${value.toString(16)}`;
}

/** How vectors configure a VM. */
export interface ModelOptions {
  /** Rule set. */
  repeat: RepeatMode;
  /** The format has a `phase` for every repeated mapping. */
  phases?: boolean;
  /** Ids of objects that share the VM's reservation. */
  privateGems?: readonly number[];
  /** See {@link GpuvmOptions}. */
  resvProtected?: boolean;
  /** See {@link GpuvmOptions}. */
  immediateMode?: boolean;
}

/** A VM under test. */
export class VectorVm implements StepHandlers {
  /** The VM. */
  readonly vm: Gpuvm;
  /** Steps of the running operation, in the vectors' words. */
  steps: Json[] = [];
  /** The map step of the running operation could not be inserted. */
  insertFailed = false;
  readonly #gems = new GemObjects();
  readonly #objects = new Map<number, GemObject>();
  readonly #ids = new Map<GemObject, number>();
  readonly #resv: GemObject;
  readonly #private: ReadonlySet<number>;
  readonly #phases: boolean;

  /**
   * @param config - `vm` of a case
   * @param options - see {@link ModelOptions}
   */
  constructor(config: Json, options: ModelOptions) {
    this.#resv = new GemObject(this.#gems, 0, new Resv("vm"));
    this.#ids.set(this.#resv, -1);
    this.#private = new Set(options.privateGems ?? []);
    this.#phases = options.phases ?? false;
    this.vm = new Gpuvm({
      start: u64Of(config["start"], "start"),
      range: u64Of(config["range"], "range"),
      kernelStart: u64Of(config["kernel_start"], "kernel_start"),
      kernelRange: u64Of(config["kernel_range"], "kernel_range"),
      gems: this.#gems,
      resv: this.#resv,
      repeat: options.repeat,
      resvProtected: options.resvProtected ?? false,
      immediateMode: options.immediateMode ?? false,
      nodeCapacity: 4,
    });
  }

  /** The object of an id, made when first named. */
  object(id: number): GemObject {
    let gem = this.#objects.get(id);
    if (gem === undefined) {
      gem = new GemObject(
        this.#gems,
        2 ** 63,
        this.#private.has(id) ? this.#resv.resv : new Resv(`gem ${id}`),
      );
      this.#objects.set(id, gem);
      this.#ids.set(gem, id);
    }
    return gem;
  }

  /** The id of an object; -1 stands for the VM's own reservation object. */
  idOf(gem: GemObject): number {
    const id = this.#ids.get(gem);
    if (id === undefined) throw new Error("conformance: an object without an id");
    return id;
  }

  /** Run a `map`, `unmap` or `madvise` operation. Returns its result as the vectors write it. */
  run(op: Json): Json {
    this.steps = [];
    this.insertFailed = false;
    let ret: number;
    try {
      if (op["op"] === "map") ret = this.vm.smMap(this.#request(op), this);
      else if (op["op"] === "unmap")
        ret = this.vm.smUnmap(u64Of(op["va"], "va"), u64Of(op["range"], "range"), this);
      else if (op["op"] === "madvise") ret = this.#madvise(this.#request(op));
      else throw new Error(`conformance: no operation ${op["op"]}`);
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      ret = -error.errno;
    }
    return { ret, steps: this.steps, ...(this.insertFailed ? { insert_failed: true } : {}) };
  }

  #request(op: Json): MapRequest {
    const flags = op["flags"] as string[];
    return {
      addr: u64Of(op["va"], "va"),
      range: u64Of(op["range"], "range"),
      gem: typeof op["gem"] === "number" ? this.object(op["gem"]) : null,
      offset: u64Of(op["offset"], "offset"),
      flags: flags.reduce((bits, name) => bits | flagBit(name), 0),
      gemRange: op["gem_range"] === undefined ? 0 : u64Of(op["gem_range"], "gem_range"),
    };
  }

  /** What fills a hole has the flags of what was cut there, as xe does it. */
  #madvise(request: MapRequest): number {
    let inherited = 0;
    return this.vm.smMadvise(request, {
      remap: (op) => {
        inherited = this.vm.flags(op.unmap.va);
        return this.remap(op);
      },
      map: (op) => {
        op.flags = inherited;
        return this.map(op);
      },
    });
  }

  /** A map step: note it, apply it, connect it. */
  map(op: MapStep): number {
    this.steps.push({ step: "map", ...this.#describe(op) });
    const va = this.vm.map(op);
    if (va < 0) {
      this.insertFailed = true;
      return 0;
    }
    if (op.gem === null) return 0;
    const vmBo = this.vm.immediateMode
      ? this.vm.vmBoObtainPrealloc(this.vm.vmBoCreate(op.gem))
      : this.vm.vmBoObtain(op.gem);
    this.vm.link(va, vmBo);
    this.vm.extobjAdd(vmBo);
    if (this.vm.immediateMode) vmBo.putDeferred();
    else vmBo.put();
    return 0;
  }

  /** A remap step: note it, apply it, connect the pieces, disconnect the old. */
  remap(op: RemapStep): number {
    const old = op.unmap.va;
    this.steps.push({
      step: "remap",
      unmap: this.describe(old),
      keep: op.unmap.keep,
      prev: op.hasPrev ? this.#describe(op.prev) : null,
      next: op.hasNext ? this.#describe(op.next) : null,
    });
    const vmBo = this.vm.vmBo(old);
    this.vm.remap(op);
    if (vmBo !== null) {
      if (op.prevVa !== 0) this.vm.link(op.prevVa, vmBo);
      if (op.nextVa !== 0) this.vm.link(op.nextVa, vmBo);
    }
    this.#drop(old);
    return 0;
  }

  /** An unmap step: note it, apply it, disconnect. */
  unmap(op: UnmapStep): number {
    this.steps.push({ step: "unmap", ...this.describe(op.va), keep: op.keep });
    this.vm.unmap(op);
    this.#drop(op.va);
    return 0;
  }

  #drop(va: number): void {
    if (this.vm.immediateMode) this.vm.unlinkDefer(va);
    else this.vm.unlink(va);
    this.vm.free(va);
  }

  #describe(op: MapStep): Json {
    const gem = op.gem === null ? null : this.idOf(op.gem);
    return mapping(op.addr, op.range, gem, op.offset, op.flags, op.gemRange, op.phase, this.#phases);
  }

  /** A mapping in the vectors' words. */
  describe(va: number): Json {
    const { vm } = this;
    const gem = vm.gem(va);
    return mapping(
      vm.addr(va),
      vm.rangeOf(va),
      gem === null ? null : this.idOf(gem),
      vm.offset(va),
      vm.flags(va),
      vm.gemRange(va),
      vm.phase(va),
      this.#phases,
    );
  }

  /** All mappings in the vectors' words. */
  final(): Json[] {
    return this.vm.mappings().map((va) => this.describe(va));
  }

  /** Operations of a list in the vectors' words; only mappings matter. */
  listed(ops: readonly GpuvmOp[]): Json[] {
    return ops.map((op) => {
      if (op.kind !== "prefetch") throw new Error(`conformance: ${op.kind} in a prefetch list`);
      return this.located(op.va);
    });
  }

  /** Where a mapping is, for look-ups. */
  located(va: number): Json {
    return {
      va: u64(this.vm.addr(va)),
      range: u64(this.vm.rangeOf(va)),
      ...(va === this.vm.kernelNode ? { kernel: true } : {}),
    };
  }
}

function flagBit(name: string): number {
  return FLAG_NAMES.find(([flag]) => flag === name)?.[1] ?? 0;
}
