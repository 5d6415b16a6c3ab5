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
  type EvictStep,
  type FreeStep,
  type ReadStep,
  requiredBytes,
  type Step,
  type Workload,
  type WriteStep,
} from "../workload/workload.ts";
import { blamed } from "./blame.ts";
import { mustIssue } from "./calls.ts";
import { strategyFor } from "./fine.ts";
import { RefusedError } from "./refused.ts";
import type { RunObserver, SparseResource } from "./run-data.ts";
import type { MemoryObject, SparseSession, SparseStrategy } from "./strategy.ts";

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
  evict: "run",
  submit: "run",
};

/** A strategy with a fresh device, doing a workload's steps one by one. */
export class StrategyRun {
  /** The strategy. */
  readonly strategy: SparseStrategy;
  /** Its device, and the file and VM 0. */
  readonly session: SparseSession;
  /** The VMs that steps have named, by number. */
  readonly #sessions: Map<number, SparseSession>;
  /** What each phase has cost so far; `setup` is opening the device. */
  readonly cost: Partial<Record<Phase, CostSheet>>;
  /** Resources that are alive, by name. */
  readonly resources: Map<string, SparseResource> = new Map();
  /** Memory objects that are allocated, by name. */
  readonly memory: Map<string, MemoryObject> = new Map();
  /** What came of the read and write steps. */
  readonly accesses: AccessResult[] = [];
  readonly #observer: RunObserver | undefined;
  /** VMs without a sparse resource so far. */
  readonly #fresh = new Set<SparseSession>();
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
    this.#sessions = new Map([[0, session]]);
    this.#fresh.add(session);
    const { counters } = session;
    this.cost = { setup: snapshot(counters) };
  }

  /** The cost of everything so far: all phases, and loads and stores outside of steps. */
  get total(): CostSheet {
    return snapshot(this.session.counters);
  }

  /** The files and VMs that steps have named so far, all on one device. */
  get sessions(): SparseSession[] {
    return [...this.#sessions.values()];
  }

  /**
   * @param vm - number of a VM
   * @returns its session; opened if no step has named it before
   */
  sessionOf(vm: number): SparseSession {
    const known = this.#sessions.get(vm);
    if (known !== undefined) return known;
    const session = this.session.another();
    this.#sessions.set(vm, session);
    this.#fresh.add(session);
    return session;
  }

  /**
   * Do one step.
   *
   * @param step - of a workload for this strategy's block
   * @throws {@link RefusedError} when the driver refuses an ioctl or no address is left, naming the step
   * @throws InputError naming the module of a strategy that throws anything else
   */
  perform(step: Step): void {
    const { counters, costSchema } = this.session;
    const before = snapshot(counters);
    this.#phase = PHASE_OF[step.step];
    try {
      this.#lower(step);
    } catch (error) {
      const { module, name } = this.strategy;
      if (!(error instanceof RefusedError)) throw module ? blamed(error, module.path, name) : error;
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
    const { va, vm: number, plain } = this.resource(resource);
    const session = this.sessionOf(number);
    session.beforeAccess?.();
    const at = plain ? va : va + session.mirrorOffset;
    return session.vm.addressSpace.load(at + offset, bytes);
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
    const { va, vm } = this.resource(resource);
    const session = this.sessionOf(vm);
    session.beforeAccess?.();
    session.vm.addressSpace.store(va + offset, bytes);
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
        for (const session of this.sessions) this.#issueAll(session, session.waitIdle());
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
      case "evict":
        this.#evict(step);
        break;
      case "submit":
        for (const session of this.sessions) session.shrinker?.submit();
        break;
    }
  }

  #create({ resource, size, vm = 0, plain = false }: CreateStep): void {
    const { name, resourceBytesMax } = this.strategy;
    if (size > resourceBytesMax) {
      throw new RefusedError(
        `${resource}: ${size} bytes are more than ${name} is run with, ${resourceBytesMax}`,
      );
    }
    const session = this.sessionOf(vm);
    const bytes = requiredBytes(size, this.strategy.blockBytes);
    const va = place(session, bytes, "resource");
    if (!plain) this.#beforeFirstResource(session);
    this.resources.set(resource, { name: resource, va, size, bytes, vm, plain });
    if (!plain) this.#issueAll(session, session.umd.create(va, bytes));
  }

  #destroy({ resource }: DestroyStep): void {
    const { va, bytes, vm, plain } = this.resource(resource);
    const session = this.sessionOf(vm);
    this.#issueAll(session, plain ? [session.bindPlainly(va, bytes, null)] : session.umd.destroy(va, bytes));
    this.resources.delete(resource);
    giveBack(session, va, bytes, "resource");
  }

  #allocate({ memory, size, vm = 0 }: AllocateStep): void {
    const session = this.sessionOf(vm);
    const bytes = requiredBytes(size, this.strategy.blockBytes);
    const va = place(session, bytes, "memory");
    const object: MemoryObject = { name: memory, handle: 0, va, size: bytes, vm };
    this.memory.set(memory, object);
    session.allocate(object, (call) => this.#issue(session, call));
  }

  #free({ memory }: FreeStep): void {
    const object = this.#object(memory);
    const session = this.sessionOf(object.vm);
    const reusable = session.free(object, (call) => this.#issue(session, call));
    this.memory.delete(memory);
    if (reusable) giveBack(session, object.va, object.size, "memory");
  }

  #evict({ memory }: EvictStep): void {
    const { handle, vm } = this.#object(memory);
    const { shrinker, file } = this.sessionOf(vm);
    const gem = file.bo(handle);
    if (gem) shrinker?.evict(gem);
  }

  #bind({ resource, binds }: BindStep): void {
    const { va, bytes, vm, plain } = this.resource(resource);
    const session = this.sessionOf(vm);
    const lowered = binds.map(
      ({ offset, size, memory }): SparseBind => ({
        resourceOffset: offset,
        size: requiredBytes(size, this.strategy.blockBytes),
        memory: memory && { handle: this.#object(memory.object).handle, offset: memory.offset },
      }),
    );
    if (!plain) this.#issueAll(session, session.umd.bind(va, bytes, lowered));
    else {
      for (const { resourceOffset, size, memory } of lowered) {
        this.#issue(session, session.bindPlainly(va + resourceOffset, size, memory));
      }
    }
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

  #beforeFirstResource(session: SparseSession): void {
    if (!this.#fresh.delete(session)) return;
    session.beforeFirstResource((call) => this.#issue(session, call));
  }

  #object(name: string): MemoryObject {
    const found = this.memory.get(name);
    if (!found) throw new RangeError(`no memory ${JSON.stringify(name)}`);
    return found;
  }

  #issueAll(session: SparseSession, calls: readonly IoctlCall[]): void {
    for (let i = 0; i < calls.length; ) {
      const issued = this.#observer ? 0 : (session.issueRun?.(calls, i) ?? 0);
      if (issued === 0) this.#issue(session, calls[i] as IoctlCall);
      i += Math.max(issued, 1);
    }
  }

  #issue(session: SparseSession, call: IoctlCall): void {
    const observer = this.#observer;
    const argIn = observer && call.arg.slice();
    mustIssue(session.file, call);
    const seq = this.#calls++;
    if (observer === undefined || argIn === undefined) return;
    const { resources, memory } = this;
    observer({ seq, phase: this.#phase, step: this.#steps, call, argIn, resources, memory });
  }
}

/**
 * Find room as the user-mode driver does.
 *
 * @param session - whose addresses
 * @param bytes - whole blocks
 * @param what - what for
 * @returns the address
 * @throws {@link RefusedError} when there is none
 */
export function place(session: SparseSession, bytes: number, what: "resource" | "memory"): number {
  const { alignment, guardBytes } = session.placement(bytes, what);
  return session.heap.alloc(bytes + guardBytes, alignment);
}

/**
 * The opposite of {@link place}.
 *
 * @param session - whose addresses
 * @param va - the address
 * @param bytes - as they were asked for
 * @param what - what for
 */
export function giveBack(
  session: SparseSession,
  va: number,
  bytes: number,
  what: "resource" | "memory",
): void {
  session.heap.free(va, bytes + session.placement(bytes, what).guardBytes);
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
 * @param given - how sparse is said
 * @param options - device and observer
 * @returns the run, for its cost sheets and for looking further
 * @throws {@link RefusedError} when the driver refuses an ioctl
 * @throws RangeError for a workload that does not fit the strategy's block
 */
export async function runWorkload(
  workload: Workload,
  given: SparseStrategy,
  options: RunOptions = {},
): Promise<StrategyRun> {
  const strategy = strategyFor(workload, given);
  const run = await startRun(strategy, options);
  for (const step of workload.steps(strategy.blockBytes)) run.perform(step);
  return run;
}
