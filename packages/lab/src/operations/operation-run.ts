/**
 * A list of operations on one driver: each is lowered by the strategy's user-mode driver, its ioctls go to the model, and everything that
 * comes of it is written down. Unlike a workload it goes on after a refusal: that is an answer, too.
 *
 * @module
 */

import {
  EncodeError,
  type GemObject,
  type IoctlCall,
  type NamedBindOp,
  type QuirkProfile,
} from "@vmbind/drm";
import { costBetween, type Lens, refusedOp, snapshot } from "@vmbind/trace";
import { DRIVERS } from "../drivers.ts";
import { blamed } from "../strategy/blame.ts";
import { RefusedError } from "../strategy/refused.ts";
import { giveBack, place } from "../strategy/run.ts";
import type { MemoryObject, SparseSession, SparseStrategy } from "../strategy/strategy.ts";
import { requiredBytes, WorkloadError } from "../workload/workload.ts";
import {
  ANSWER_COSTS,
  type AnswerCost,
  type CallAnswer,
  type OperationAnswer,
  type RangeAnswer,
  type SightAnswer,
  type StrategyAnswer,
} from "./answer.ts";
import { CallWatch } from "./call-watch.ts";
import { GpuSight, nameOfObject } from "./gpu-sight.ts";
import { MapWork } from "./map-work.ts";
import { mappingsOf } from "./mappings.ts";
import type { OpAddress, Operation, OpMemory, RangeOperation } from "./operation.ts";
import { type LivingRange, NotRun, Things } from "./things.ts";

/** Calls of one operation that are looked at closely. */
const CALLS_MAX = 16;

/** Where operations run. */
export interface AnswerOptions {
  /** One of the strategy's devices; the first unless told. */
  readonly device?: string;
  /** Which defects its driver has; {@link DEFAULT_KERNEL} unless told. */
  readonly kernel?: QuirkProfile;
}

/**
 * Run a list of operations under a strategy, on a fresh device.
 *
 * @param operations - what is asked
 * @param strategy - whose user-mode driver lowers it, to whose driver
 * @param options - device and kernel
 * @throws RangeError for a device that the strategy does not run on
 * @throws InputError naming the module of a strategy that throws where its user-mode driver is asked
 */
export async function answerOperations(
  operations: readonly Operation[],
  strategy: SparseStrategy,
  options: AnswerOptions = {},
): Promise<StrategyAnswer> {
  const device = options.device ?? strategy.devices[0];
  if (!strategy.devices.includes(device)) {
    throw new RangeError(`${strategy.name} runs on ${strategy.devices.join(", ")}, not on ${device}`);
  }
  const lens = await lensFor(strategy);
  const run = new OperationRun(strategy, await strategy.open(device, options.kernel), lens);
  return run.answer(operations, device);
}

async function lensFor({ driver, name }: SparseStrategy): Promise<Lens> {
  const load = DRIVERS.get(driver);
  if (load === undefined) throw new RangeError(`${name}: no driver ${driver}`);
  return load();
}

/** The driver refused a call of an operation: the rest of that operation is not done. */
class Refused extends Error {}

class OperationRun {
  readonly #strategy: SparseStrategy;
  readonly #session: SparseSession;
  readonly #watch: CallWatch;
  readonly #work: MapWork;
  readonly #things = new Things();
  readonly #names = new Map<GemObject, string>();
  #sight: GpuSight | null = null;
  #isFresh = true;
  /** Of the operation that runs. */
  #calls: CallAnswer[] = [];
  #callCount = 0;
  #va: number | null = null;
  #access: SightAnswer | null = null;
  /** Each operation of a `vmBind` is an ioctl of its own. */
  #isOneEach = false;

  constructor(strategy: SparseStrategy, session: SparseSession, lens: Lens) {
    this.#strategy = strategy;
    this.#session = session;
    this.#work = new MapWork(strategy);
    this.#watch = new CallWatch(session, lens, (gem) => (gem === null ? "nothing" : this.#nameOf(gem)));
  }

  answer(operations: readonly Operation[], device: string): StrategyAnswer {
    const before = snapshot(this.#session.counters);
    const answers = operations.map((operation) => this.#answerOne(operation));
    return {
      strategy: this.#strategy.name,
      driver: this.#strategy.driver,
      device,
      operations: answers,
      cost: this.#costSince(before),
      ...mappingsOf(this.#session, this.#names),
      tablesLive: this.#session.counters.tablesLive,
      ranges: [...this.#things.ranges.values()].map((range) => this.#rangeAnswer(range)),
    };
  }

  #answerOne(operation: Operation): OperationAnswer {
    const before = snapshot(this.#session.counters);
    this.#calls = [];
    this.#callCount = 0;
    this.#va = null;
    this.#access = null;
    const outcome = this.#outcomeOf(operation);
    return {
      ...outcome,
      va: this.#va,
      calls: this.#calls,
      callCount: this.#callCount,
      cost: this.#costSince(before),
      sight: this.#access,
    };
  }

  #outcomeOf(operation: Operation): Pick<OperationAnswer, "outcome" | "by" | "errno" | "reason" | "failed"> {
    const none = { errno: null, reason: "", failed: null };
    if (operation.op === "vm-bind" && operation.driver !== this.#strategy.driver) {
      return { outcome: "left-out", by: null, ...none, reason: `for ${operation.driver}` };
    }
    if (operation.op === "evict" && this.#session.shrinker === null) {
      return { outcome: "left-out", by: null, ...none, reason: "this driver takes no memory away" };
    }
    try {
      this.#perform(operation);
      return { outcome: "done", by: null, ...none };
    } catch (error) {
      if (error instanceof Refused) {
        const { errno, reason } = this.#calls.at(-1) as CallAnswer;
        const failed = operation.op === "vm-bind" ? this.#failedOp(reason, operation.ops.length) : null;
        return { outcome: "refused", by: "driver", errno, reason, failed };
      }
      const { module, name } = this.#strategy;
      if (error instanceof NotRun || error instanceof RefusedError || error instanceof WorkloadError) {
        return { outcome: "refused", by: "laboratory", ...none, reason: error.message };
      }
      // Encoding and lowering refuse with a RangeError that names member and rule.
      if (error instanceof RangeError) {
        const failed = error instanceof EncodeError ? indexIn(error.message) : null;
        return { outcome: "refused", by: "user-mode driver", errno: null, reason: error.message, failed };
      }
      throw module ? blamed(error, module.path, name) : error;
    }
  }

  #perform(operation: Operation): void {
    switch (operation.op) {
      case "memory":
        this.#allocate(operation.name, operation.size);
        break;
      case "sparse":
      case "range":
        this.#makeRange(operation);
        break;
      case "bind":
        this.#bind(operation.at, operation.size, operation.memory);
        break;
      case "map":
        this.#map(operation.at, operation.size, operation.memory, operation.window);
        break;
      case "destroy":
        this.#destroy(operation.name);
        break;
      case "free":
        this.#free(operation.name);
        break;
      case "evict":
        this.#evict(operation.name);
        break;
      case "submit":
        this.#sight = null;
        this.#session.beforeAccess?.();
        this.#session.shrinker?.submit();
        break;
      case "read":
      case "write":
        this.#touch(operation.at, operation.value);
        break;
      case "vm-bind":
        this.#vmBind(operation.ops);
        break;
    }
  }

  #allocate(name: string, asked: number): void {
    const size = requiredBytes(asked, this.#strategy.blockBytes);
    const va = place(this.#session, size, "memory");
    const object: MemoryObject = { name, handle: 0, va, size, vm: 0 };
    this.#session.allocate(object, (call) => {
      // The object is there before it is mapped: the words for the mapping name it.
      this.#nameObject(object);
      this.#issue(call);
    });
    this.#nameObject(object);
    this.#things.memory.set(name, object);
    this.#va = object.va;
  }

  #nameObject({ handle, name }: MemoryObject): void {
    const gem = handle === 0 ? undefined : this.#session.file.bo(handle);
    if (gem) this.#names.set(gem, name);
  }

  #makeRange({ op: kind, name, size, va: wanted }: RangeOperation): void {
    const session = this.#session;
    const { resourceBytesMax, blockBytes, name: strategy } = this.#strategy;
    if (kind === "sparse" && size > resourceBytesMax) {
      throw new NotRun(`${name}: ${size} bytes are more than ${strategy} is run with, ${resourceBytesMax}`);
    }
    const bytes = requiredBytes(size, blockBytes);
    if (kind === "sparse") this.#work.holdResource(bytes);
    const va = wanted ?? place(session, bytes, "resource");
    this.#va = va;
    this.#things.ranges.set(name, { name, va, bytes, kind, isPlaced: wanted === undefined });
    if (kind === "range") return;
    if (this.#isFresh) session.beforeFirstResource((call) => this.#issue(call));
    this.#isFresh = false;
    try {
      this.#issueAll(session.umd.create(va, bytes));
    } catch (error) {
      this.#things.ranges.delete(name);
      throw error;
    }
  }

  #bind(at: OpAddress, size: number, memory: OpMemory | null): void {
    const va = this.#things.addressOf(at);
    this.#va = va;
    const range = [...this.#things.ranges.values()].find(
      (one) => one.kind === "sparse" && va >= one.va && va < one.va + one.bytes,
    );
    if (range === undefined) throw new NotRun("no sparse resource is there; map and unmap work anywhere");
    if (va + size > range.va + range.bytes) {
      throw new NotRun(`${size} bytes leave ${range.name}, as no vkQueueBindSparse may; map and unmap may`);
    }
    const bound = memory && this.#things.part(memory);
    const binds = [{ resourceOffset: va - range.va, size, memory: bound }];
    this.#issueAll(this.#session.umd.bind(range.va, range.bytes, binds));
  }

  #map(at: OpAddress, size: number, memory: OpMemory | null, window?: number): void {
    const va = this.#things.addressOf(at);
    this.#va = va;
    const part = memory && this.#things.part(memory);
    if (part === null || window === undefined) {
      this.#issue(this.#session.bindPlainly(va, size, part));
      return;
    }
    const repeat = this.#session.repeatPlainly?.(va, size, part, window);
    if (repeat) {
      this.#issue(repeat);
      return;
    }
    this.#work.holdOperations(Math.ceil(size / window));
    for (let done = 0; done < size; done += window) {
      this.#issue(this.#session.bindPlainly(va + done, Math.min(window, size - done), part));
    }
  }

  #destroy(name: string): void {
    const range = this.#things.range(name);
    const { va, bytes, kind, isPlaced } = range;
    this.#va = va;
    const session = this.#session;
    this.#issueAll(
      kind === "range" ? [session.bindPlainly(va, bytes, null)] : session.umd.destroy(va, bytes),
    );
    this.#things.ranges.delete(name);
    if (isPlaced) giveBack(session, va, bytes, "resource");
  }

  #free(name: string): void {
    const object = this.#things.object(name);
    this.#va = object.va;
    const reusable = this.#session.free(object, (call) => this.#issue(call));
    this.#things.memory.delete(name);
    if (reusable) giveBack(this.#session, object.va, object.size, "memory");
  }

  #evict(name: string): void {
    const { shrinker, file } = this.#session;
    const gem = file.bo(this.#things.object(name).handle);
    this.#sight = null;
    if (gem) shrinker?.evict(gem);
  }

  #touch(at: OpAddress, value: number | undefined): void {
    // Shaders read a sparse resource through the read-only mirror where there is one.
    const isSparse = typeof at !== "number" && this.#things.range(at.in).kind === "sparse";
    const mirror = isSparse && value === undefined ? this.#session.mirrorOffset : 0;
    this.#va = this.#things.addressOf(at) + mirror;
    this.#access = this.#look.access(this.#va, value);
  }

  #vmBind(ops: readonly NamedBindOp[]): void {
    const calls = this.#session.vmBind.encode(ops.map((op) => this.#things.resolved(op)));
    this.#isOneEach = calls.length === ops.length;
    this.#issueAll(calls);
  }

  /** A reason begins with the operation that it is about; where each is a call of its own, it is the last call's. */
  #failedOp(reason: string, ops: number): number | null {
    if (this.#isOneEach) return this.#callCount - 1;
    return indexIn(reason) ?? (ops === 1 ? 0 : null);
  }

  #issueAll(calls: readonly IoctlCall[]): void {
    for (const call of calls) this.#issue(call);
  }

  #issue(call: IoctlCall): void {
    const action = this.#watch.read(call);
    if (action.kind === "bind") {
      const { format } = this.#session.vm.addressSpace;
      this.#work.holdEntries(action.ops, format.vaEnd);
    }
    this.#sight = null;
    this.#callCount++;
    if (this.#calls.length < CALLS_MAX) {
      const answer = this.#watch.issue(call, action);
      this.#calls.push(answer);
      if (answer.errno !== null) throw new Refused();
      return;
    }
    const refusal = this.#watch.issueBlindly(call);
    if (refusal === null) return;
    this.#calls.push(refusal);
    throw new Refused();
  }

  get #look(): GpuSight {
    this.#sight ??= new GpuSight(this.#session, this.#names);
    return this.#sight;
  }

  #nameOf(gem: GemObject): string {
    return nameOfObject(this.#session, this.#names, gem);
  }

  #costSince(before: ReturnType<typeof snapshot>): AnswerCost {
    const { costSchema, counters } = this.#session;
    const cost = costBetween(costSchema, before, counters);
    return Object.fromEntries(ANSWER_COSTS.filter((name) => name in cost).map((name) => [name, cost[name]]));
  }

  #rangeAnswer({ name, kind, va, bytes }: LivingRange): RangeAnswer {
    this.#session.beforeAccess?.();
    const at = kind === "sparse" ? va + this.#session.mirrorOffset : va;
    return { name, kind, va: at, bytes, ...this.#look.runs(at, bytes) };
  }
}

function indexIn(reason: string): number | null {
  const index = refusedOp(reason);
  return index < 0 ? null : index;
}
