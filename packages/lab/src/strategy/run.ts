/**
 * Running a workload under a strategy: each step is lowered by the strategy's user-mode driver, its ioctls go to the
 * driver model, and what they cost is kept by phase.
 *
 * A run can be stopped at any step and looked at: what is mapped where, and what the GPU reads there.
 *
 * @module
 */

import type { CostSheet, IoctlCall, QuirkProfile, SparseBind } from "@vmbind/drm";
import { GpuFault } from "@vmbind/mmu";
import { addCost, costBetween, type Phase, snapshot } from "@vmbind/trace";
import type { AccessResult } from "../result.ts";
import {
  type AllocateStep,
  type BindStep,
  type CreateStep,
  type DestroyStep,
  type FreeStep,
  type ReadStep,
  requiredBytes,
  type Step,
  type Workload,
  type WriteStep,
} from "../workload/workload.ts";
import { mustIssue } from "./calls.ts";
import { RefusedError } from "./refused.ts";
import type { MemoryObject, SparseSession, SparseStrategy } from "./strategy.ts";

/** A sparse resource that is alive. */
export interface SparseResource {
  /** Its name in the workload. */
  name: string;
  /** Its address: where shaders write it. */
  va: number;
  /** Bytes that the application asked for. */
  size: number;
  /** Bytes that it takes: whole blocks. */
  bytes: number;
}

/** One ioctl of a run. */
export interface RunCall {
  /** Counts the calls of the steps from 0; calls that open the device are left out. */
  seq: number;
  /** What the application was doing. */
  phase: Phase;
  /** Index of the step in the workload. */
  step: number;
  /** The call; `arg` is as the driver left it. */
  call: IoctlCall;
  /** `arg` as it was sent. */
  argIn: Uint8Array;
  /** The resources that were alive, by name: what the addresses belong to. */
  resources: ReadonlyMap<string, SparseResource>;
  /** The memory that was allocated, by name. */
  memory: ReadonlyMap<string, MemoryObject>;
}

/** Sees each ioctl of a run after the driver has done it. */
export type RunObserver = (call: RunCall) => void;

/** How to run; see {@link runWorkload}. */
export interface RunOptions {
  /** One of the strategy's devices; the first unless told. */
  device?: string;
  /** Which defects its driver has; {@link DEFAULT_KERNEL} unless told. */
  kernel?: QuirkProfile;
  /** Sees each ioctl. */
  observer?: RunObserver;
}

const PHASE_OF: Readonly<Record<Step["step"], Phase>> = {
  create: "create",
  allocate: "memory",
  bind: "bind",
  "wait-idle": "wait-idle",
  destroy: "destroy",
  free: "free",
  read: "run",
  write: "run",
};

/** A strategy with a fresh device, doing a workload's steps one by one. */
export class StrategyRun {
  /** The strategy. */
  readonly strategy: SparseStrategy;
  /** Its device, file and VM. */
  readonly session: SparseSession;
  /** What each phase has cost so far; `setup` is opening the device. */
  readonly cost: Partial<Record<Phase, CostSheet>>;
  /** Resources that are alive, by name. */
  readonly resources: Map<string, SparseResource> = new Map();
  /** Memory objects that are allocated, by name. */
  readonly memory: Map<string, MemoryObject> = new Map();
  /** What came of the read and write steps. */
  readonly accesses: AccessResult[] = [];
  readonly #observer: RunObserver | undefined;
  #first = true;
  #phase: Phase = "setup";
  #steps = 0;
  #calls = 0;

  /**
   * @param strategy - the strategy
   * @param session - a fresh session of it
   * @param observer - sees each ioctl
   */
  constructor(strategy: SparseStrategy, session: SparseSession, observer?: RunObserver) {
    this.strategy = strategy;
    this.session = session;
    this.#observer = observer;
    const { counters } = session;
    this.cost = { setup: snapshot(counters) };
  }

  /** The cost of everything so far: all phases, and loads and stores outside of steps. */
  get total(): CostSheet {
    return snapshot(this.session.counters);
  }

  /**
   * Do one step.
   *
   * @param step - of a workload for this strategy's block
   * @throws {@link RefusedError} when the driver refuses an ioctl or no address is left, naming the step
   */
  perform(step: Step): void {
    const { counters, costSchema } = this.session;
    const before = snapshot(counters);
    this.#phase = PHASE_OF[step.step];
    try {
      this.#lower(step);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      throw new RefusedError(`steps[${this.#steps}]: ${error.message}`);
    }
    const cost = costBetween(costSchema, before, counters);
    this.cost[this.#phase] = addCost(costSchema, this.cost[this.#phase], cost);
    this.#steps++;
  }

  /**
   * What the GPU reads of a resource: through the read-only mirror where the user-mode driver keeps one.
   *
   * @param resource - name of a living resource
   * @param offset - bytes
   * @param bytes - how many
   * @throws GpuFault for an address that faults
   */
  load(resource: string, offset: number, bytes: number): Uint8Array {
    const { vm, mirrorOffset } = this.session;
    this.session.beforeAccess?.();
    return vm.addressSpace.load(this.resource(resource).va + mirrorOffset + offset, bytes);
  }

  /**
   * What happens when the GPU writes to a resource.
   *
   * @param resource - name of a living resource
   * @param offset - bytes
   * @param bytes - what to write
   * @throws GpuFault for an address that faults
   */
  store(resource: string, offset: number, bytes: Uint8Array): void {
    this.session.beforeAccess?.();
    this.session.vm.addressSpace.store(this.resource(resource).va + offset, bytes);
  }

  /**
   * @param name - of a living resource
   * @throws RangeError when there is none
   */
  resource(name: string): SparseResource {
    const found = this.resources.get(name);
    if (!found) throw new RangeError(`no resource ${JSON.stringify(name)}`);
    return found;
  }

  #lower(step: Step): void {
    switch (step.step) {
      case "create":
        this.#create(step);
        break;
      case "allocate":
        this.#allocate(step);
        break;
      case "bind":
        this.#bind(step);
        break;
      case "wait-idle":
        this.#issueAll(this.session.waitIdle());
        break;
      case "destroy":
        this.#destroy(step);
        break;
      case "free":
        this.#free(step);
        break;
      case "read":
        this.#access(step, () => this.#load32(step));
        break;
      case "write":
        this.#access(step, () => this.#store32(step));
        break;
    }
  }

  #create({ resource, size }: CreateStep): void {
    const { name, resourceBytesMax } = this.strategy;
    if (size > resourceBytesMax) {
      throw new RefusedError(
        `${resource}: ${size} bytes are more than ${name} is run with, ${resourceBytesMax}`,
      );
    }
    const bytes = requiredBytes(size, this.strategy.blockBytes);
    const va = this.#place(bytes, "resource");
    this.#beforeFirstResource();
    this.resources.set(resource, { name: resource, va, size, bytes });
    this.#issueAll(this.session.umd.create(va, bytes));
  }

  #destroy({ resource }: DestroyStep): void {
    const { va, bytes } = this.resource(resource);
    this.#issueAll(this.session.umd.destroy(va, bytes));
    this.resources.delete(resource);
    this.#giveBack(va, bytes, "resource");
  }

  #allocate({ memory, size }: AllocateStep): void {
    const bytes = requiredBytes(size, this.strategy.blockBytes);
    const va = this.#place(bytes, "memory");
    const object: MemoryObject = { name: memory, handle: 0, va, size: bytes };
    this.memory.set(memory, object);
    this.session.allocate(object, (call) => this.#issue(call));
  }

  #free({ memory }: FreeStep): void {
    const object = this.#object(memory);
    const reusable = this.session.free(object, (call) => this.#issue(call));
    this.memory.delete(memory);
    if (reusable) this.#giveBack(object.va, object.size, "memory");
  }

  #bind({ resource, binds }: BindStep): void {
    const { va, bytes } = this.resource(resource);
    const lowered = binds.map(
      ({ offset, size, memory }): SparseBind => ({
        resourceOffset: offset,
        size: requiredBytes(size, this.strategy.blockBytes),
        memory: memory && { handle: this.#object(memory.object).handle, offset: memory.offset },
      }),
    );
    this.#issueAll(this.session.umd.bind(va, bytes, lowered));
  }

  #access({ step: access, resource, offset }: ReadStep | WriteStep, run: () => number): void {
    const result: AccessResult = { step: this.#steps, access, resource, offset, value: null, fault: null };
    try {
      result.value = run();
    } catch (error) {
      if (!(error instanceof GpuFault)) throw error;
      result.fault = error.message;
    }
    this.accesses.push(result);
  }

  #load32({ resource, offset }: ReadStep): number {
    const word = this.load(resource, offset, 4);
    return new DataView(word.buffer, word.byteOffset).getUint32(0, true);
  }

  #store32({ resource, offset, value }: WriteStep): number {
    this.store(resource, offset, new Uint8Array(new Uint32Array([value]).buffer));
    return value;
  }

  #beforeFirstResource(): void {
    if (!this.#first) return;
    this.#first = false;
    this.session.beforeFirstResource((call) => this.#issue(call));
  }

  #place(bytes: number, what: "resource" | "memory"): number {
    const { alignment, guardBytes } = this.session.placement(bytes, what);
    return this.session.heap.alloc(bytes + guardBytes, alignment);
  }

  #giveBack(va: number, bytes: number, what: "resource" | "memory"): void {
    this.session.heap.free(va, bytes + this.session.placement(bytes, what).guardBytes);
  }

  #object(name: string): MemoryObject {
    const found = this.memory.get(name);
    if (!found) throw new RangeError(`no memory ${JSON.stringify(name)}`);
    return found;
  }

  #issueAll(calls: readonly IoctlCall[]): void {
    for (const call of calls) this.#issue(call);
  }

  #issue(call: IoctlCall): void {
    const argIn = call.arg.slice();
    mustIssue(this.session.file, call);
    const { resources, memory } = this;
    this.#observer?.({
      seq: this.#calls,
      phase: this.#phase,
      step: this.#steps,
      call,
      argIn,
      resources,
      memory,
    });
    this.#calls++;
  }
}

/**
 * Open a strategy's device, nothing done yet.
 *
 * @param strategy - the strategy
 * @param options - device and observer
 * @throws RangeError for a device that the strategy does not run on
 */
export async function startRun(strategy: SparseStrategy, options: RunOptions = {}): Promise<StrategyRun> {
  const device = options.device ?? strategy.devices[0];
  if (!strategy.devices.includes(device)) {
    throw new RangeError(`${strategy.name} runs on ${strategy.devices.join(", ")}, not on ${device}`);
  }
  return new StrategyRun(strategy, await strategy.open(device, options.kernel), options.observer);
}

/**
 * Run a whole workload on a fresh device.
 *
 * @param workload - what to do
 * @param strategy - how sparse is said
 * @param options - device and observer
 * @returns the run, for its cost sheets and for looking further
 * @throws {@link RefusedError} when the driver refuses an ioctl
 * @throws RangeError for a workload that does not fit the strategy's block
 */
export async function runWorkload(
  workload: Workload,
  strategy: SparseStrategy,
  options: RunOptions = {},
): Promise<StrategyRun> {
  const run = await startRun(strategy, options);
  for (const step of workload.steps(strategy.blockBytes)) run.perform(step);
  return run;
}
