/**
 * A VM as the vectors of GPUVM drive it: objects by id, steps applied as a plain driver applies them, everything written
 * down in the vectors' words.
 *
 * @module
 */

import { DrmError, GemObject, GemObjects, Resv } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/drm/conformance";
import { Gpuvm } from "../gpuvm.ts";
import type { RepeatMode } from "../repeat.ts";
import type { GpuvmOp, MapRequest, MapStep, RemapStep, StepHandlers, UnmapStep } from "../steps.ts";
import {
  areMappings,
  areSteps,
  flagBit,
  type Json,
  type LoggedMapping,
  type LoggedStep,
  mappingInWords,
  stepInWords,
  u64,
} from "./step-log.ts";

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
  #steps: LoggedStep[] = [];
  /** The map step of the running operation could not be inserted. */
  #insertFailed = false;
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
    return this.#inWords(this.#perform(op));
  }

  /** The same, held against what the operation says of its result: the first difference, or null. */
  check(op: Json, field: string, index: number): Mismatch | null {
    const ret = this.#perform(op);
    const alike = ret === op["ret"] && this.#insertFailed === (op["insert_failed"] ?? false);
    if (alike && areSteps(op["steps"] as unknown[], this.#steps)) return null;
    const got = this.#inWords(ret);
    return (
      mismatch(`${field}[${index}].ret`, op["ret"], ret) ??
      mismatch(`${field}[${index}].steps`, op["steps"], got["steps"]) ??
      mismatch(`${field}[${index}].insert_failed`, op["insert_failed"], got["insert_failed"])
    );
  }

  #inWords(ret: number): Json {
    const steps = this.#steps.map((step) => stepInWords(step));
    return { ret, steps, ...(this.#insertFailed ? { insert_failed: true } : {}) };
  }

  #perform(op: Json): number {
    this.#steps = [];
    this.#insertFailed = false;
    try {
      if (op["op"] === "map") return this.vm.smMap(this.#request(op), this);
      if (op["op"] === "unmap")
        return this.vm.smUnmap(u64Of(op["va"], "va"), u64Of(op["range"], "range"), this);
      if (op["op"] === "madvise") return this.#madvise(this.#request(op));
    } catch (error) {
      if (!(error instanceof DrmError)) throw error;
      return -error.errno;
    }
    throw new Error(`conformance: no operation ${op["op"]}`);
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
    this.#log("map", this.#mapping(op), false);
    const va = this.vm.map(op);
    if (va < 0) {
      this.#insertFailed = true;
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
    const prev = op.hasPrev ? this.#mapping(op.prev) : null;
    const next = op.hasNext ? this.#mapping(op.next) : null;
    this.#log("remap", this.#mappingOf(old), op.unmap.keep, prev, next);
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
    this.#log("unmap", this.#mappingOf(op.va), op.keep);
    this.vm.unmap(op);
    this.#drop(op.va);
    return 0;
  }

  #drop(va: number): void {
    if (this.vm.immediateMode) this.vm.unlinkDefer(va);
    else this.vm.unlink(va);
    this.vm.free(va);
  }

  #log(
    step: LoggedStep["step"],
    mapping: LoggedMapping,
    keep: boolean,
    prev: LoggedMapping | null = null,
    next: LoggedMapping | null = null,
  ): void {
    this.#steps.push({ step, mapping, keep, prev, next });
  }

  #mapping({ addr, range, gem, offset, flags, gemRange, phase }: MapStep): LoggedMapping {
    const id = gem === null ? null : this.idOf(gem);
    return { addr, range, gem: id, offset, flags, gemRange, phase, phases: this.#phases };
  }

  #mappingOf(va: number): LoggedMapping {
    const { vm } = this;
    const gem = vm.gem(va);
    return {
      addr: vm.addr(va),
      range: vm.rangeOf(va),
      gem: gem === null ? null : this.idOf(gem),
      offset: vm.offset(va),
      flags: vm.flags(va),
      gemRange: vm.gemRange(va),
      phase: vm.phase(va),
      phases: this.#phases,
    };
  }

  /** All mappings in the vectors' words. */
  final(): Json[] {
    return this.vm.mappings().map((va) => mappingInWords(this.#mappingOf(va)));
  }

  /** All mappings, held against what a case lists: the first difference, or null. */
  checkFinal(expected: unknown): Mismatch | null {
    const mappings = this.vm.mappings().map((va) => this.#mappingOf(va));
    if (areMappings(expected as unknown[], mappings)) return null;
    return mismatch(
      "final",
      expected,
      mappings.map((mapping) => mappingInWords(mapping)),
    );
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
