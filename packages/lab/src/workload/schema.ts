/**
 * Workloads that users write: the format of the file, and the rules that its steps must keep.
 *
 * The shape is checked when the file is read. Whether the binds are made of a driver's blocks is known only when a
 * strategy is chosen, so the steps are checked again for each.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { Budgets } from "@vmbind/trace/input";
import * as v from "valibot";
import { ORDERS, type ParametricOptions } from "./parametric.ts";
import { holdWork, WORK_BUDGETS } from "./work-budget.ts";
import { requiredBytes, type SparseElement, type Step, WorkloadError } from "./workload.ts";

/** Most steps of a file, and most binds of a step. */
const LIST_MAX = 100_000;
/** Largest number of a VM. */
const VM_MAX = 255;

/** A number of so many bits: as JSON has it, or as a string with 0x. */
function number(what: string, least: 0 | 1, bits: 32 | 40): v.GenericSchema<unknown, number> {
  const rule = `expected ${what} from ${least} to 2^${bits} - 1, or hex as in "0x10000"`;
  const hexDigits = new RegExp(`^0x[0-9a-fA-F]{1,${bits / 4}}$`);
  return v.union(
    [
      v.pipe(v.number(), v.integer(rule), v.minValue(least, rule), v.maxValue(2 ** bits - 1, rule)),
      v.pipe(v.string(), v.regex(hexDigits, rule), v.transform(Number), v.minValue(least, rule)),
    ],
    rule,
  );
}

const bytes = number("bytes", 0, 40);
const size = number("bytes", 1, 40);
const word = number("a word", 0, 32);
const name = v.pipe(
  v.string("expected a name"),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    "expected a name of letters, digits, dot, dash and underscore, at most 64",
  ),
);
const list = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.array(item, "expected a list"), v.maxLength(LIST_MAX, `expected at most ${LIST_MAX} entries`));

/** An object with these members and no others; for valibot alone a list would be one too. */
function object<T extends v.ObjectEntries>(
  members: T,
): v.GenericSchema<unknown, v.InferOutput<v.StrictObjectSchema<T, undefined>>> {
  return v.pipe(
    v.custom<object>((value) => !Array.isArray(value), "expected an object"),
    v.strictObject(members),
  );
}

const element = object({
  offset: bytes,
  size,
  memory: v.nullable(object({ object: name, offset: bytes })),
});

/** Number of a VM: each takes an open file of its own. */
const vm = v.exactOptional(
  v.pipe(
    v.number("expected a number"),
    v.integer("expected a whole number"),
    v.minValue(0, "expected 0 or more"),
    v.maxValue(VM_MAX, `expected at most ${VM_MAX}`),
  ),
);
const plain = v.exactOptional(v.boolean("expected true or false"));

const step: v.GenericSchema<unknown, Step> = v.variant("step", [
  v.strictObject({ step: v.literal("create"), resource: name, size, vm, plain }),
  v.strictObject({ step: v.literal("allocate"), memory: name, size, vm }),
  v.strictObject({ step: v.literal("bind"), resource: name, binds: list(element) }),
  v.strictObject({ step: v.literal("wait-idle") }),
  v.strictObject({ step: v.literal("destroy"), resource: name }),
  v.strictObject({ step: v.literal("free"), memory: name }),
  v.strictObject({ step: v.literal("read"), resource: name, offset: bytes }),
  v.strictObject({ step: v.literal("write"), resource: name, offset: bytes, value: word }),
  v.strictObject({ step: v.literal("evict"), memory: name }),
  v.strictObject({ step: v.literal("submit") }),
]);

const count = (max: number) =>
  v.pipe(
    v.number("expected a number"),
    v.integer("expected a whole number"),
    v.minValue(1, "expected 1 or more"),
    v.maxValue(max, `expected at most ${max}`),
  );

/** Knobs of a workload. @internal */
const parametricSchema = object({
  size: v.exactOptional(size),
  bound: v.exactOptional(
    v.pipe(
      v.number("expected a number"),
      v.minValue(0, "expected a part from 0 to 1"),
      v.maxValue(1, "expected a part from 0 to 1"),
    ),
  ),
  tile: v.exactOptional(size),
  order: v.exactOptional(v.picklist(ORDERS, `expected ${ORDERS.join(", ")}`)),
  resources: v.exactOptional(count(10_000)),
  bindsPerCall: v.exactOptional(count(LIST_MAX)),
});

/** A workload file: steps, or the knobs of a parametric workload. */
export interface WorkloadFile {
  /** Names the format. */
  format: "vmbind-workload";
  /** Version of the format. */
  version: 1;
  /** For tables. */
  name: string;
  /** One sentence. */
  description?: string;
  /** Binds are made of pages that the kernel takes, whatever block the user-mode driver reports. */
  fine?: boolean;
  /** The steps in order. */
  steps?: Step[];
  /** Or knobs. */
  parametric?: ParametricOptions;
}

/** What a workload file must look like. */
const workloadSchema: v.GenericSchema<unknown, WorkloadFile> = object({
  $schema: v.exactOptional(v.string("expected the address of a schema")),
  format: v.literal("vmbind-workload", 'expected "vmbind-workload"'),
  version: v.literal(1, "expected 1"),
  name,
  description: v.exactOptional(v.string("expected a sentence")),
  fine: v.exactOptional(v.boolean("expected true or false")),
  steps: v.exactOptional(list(step)),
  parametric: v.exactOptional(parametricSchema),
});

/**
 * Check a parsed workload file.
 *
 * @param value - what JSON.parse gave
 * @throws {@link WorkloadError} naming the first place that breaks a rule, and the rule
 */
export function parseWorkload(value: unknown): WorkloadFile {
  const result = v.safeParse(workloadSchema, value);
  if (!result.success) throw new WorkloadError(describeIssue(result.issues[0]));
  const { steps, parametric } = result.output;
  if ((steps === undefined) === (parametric === undefined)) {
    throw new WorkloadError("steps: expected steps or parametric, and not both");
  }
  return result.output;
}

/**
 * Check the steps that a module yields, one by one, as far as they can be used: none is asked for once there are too many.
 *
 * @param values - what it yields
 * @param budgets - amounts of work other than the standard ones
 * @returns the steps
 * @throws {@link WorkloadError} naming the first step that breaks a rule, and the rule, or the budget
 */
export function parseSteps(values: Iterable<unknown>, budgets?: Budgets): Step[] {
  const steps: Step[] = [];
  let binds = 0;
  for (const value of values) {
    const place = `steps[${steps.length}]`;
    holdWork(WORK_BUDGETS.steps, steps.length + 1, budgets, `${place}: `);
    const result = v.safeParse(step, value);
    if (!result.success) throw new WorkloadError(describeIssue(result.issues[0], place));
    const { output } = result;
    if (output.step === "bind") binds += output.binds.length;
    holdWork(WORK_BUDGETS.binds, binds, budgets, `${place}.binds: `);
    steps.push(output);
  }
  return steps;
}

function describeIssue(issue: v.BaseIssue<unknown>, within = ""): string {
  const path = (issue.path ?? [])
    .map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("");
  return `${(within + path).replace(/^\./, "") || "the file"}: ${ruleOf(issue)}`;
}

function ruleOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "strict_object") {
    if (issue.expected === "never") return "there is no such member";
    if (issue.received === "undefined") return "is missing";
    return `expected an object, got ${issue.received}`;
  }
  if (issue.type === "variant")
    return `expected one of ${issue.expected?.replace(/[()]/g, "")}, got ${issue.received}`;
  if (issue.received === "undefined") return "is missing";
  return `${issue.message}, got ${issue.received}`;
}

/**
 * Check that steps can be run by a driver with this block: names that exist, ranges inside their objects, whole blocks,
 * no overlap within one bind.
 *
 * @param steps - the steps
 * @param blockBytes - alignment of sparse buffers that the driver reports, bytes
 * @throws {@link WorkloadError} naming the first place that breaks a rule, and the rule
 */
export function checkSteps(steps: readonly Step[], blockBytes: number): void {
  const state = new Names(blockBytes);
  for (const [i, step] of steps.entries()) state.check(step, `steps[${i}]`);
}

function refuse(place: string, rule: string): never {
  throw new WorkloadError(`${place}: ${rule}`);
}

/** A resource, or memory. */
interface Named {
  readonly bytes: number;
  readonly vm: number;
}

/** What exists at a step. */
class Names {
  readonly #blockBytes: number;
  readonly #resources = new Map<string, Named>();
  readonly #memory = new Map<string, Named>();

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  check(step: Step, place: string): void {
    switch (step.step) {
      case "create":
        this.#add(this.#resources, step.resource, step, `${place}.resource`);
        break;
      case "allocate":
        this.#add(this.#memory, step.memory, step, `${place}.memory`);
        break;
      case "bind":
        this.#checkBinds(step.binds, this.#find(this.#resources, step.resource, `${place}.resource`), place);
        break;
      case "destroy":
        this.#find(this.#resources, step.resource, `${place}.resource`);
        this.#resources.delete(step.resource);
        break;
      case "free":
        this.#find(this.#memory, step.memory, `${place}.memory`);
        this.#memory.delete(step.memory);
        break;
      case "evict":
        this.#find(this.#memory, step.memory, `${place}.memory`);
        break;
      case "read":
      case "write": {
        const { bytes } = this.#find(this.#resources, step.resource, `${place}.resource`);
        if (step.offset % 4 !== 0) refuse(`${place}.offset`, `${hex(step.offset)} is not a multiple of 4`);
        if (step.offset + 4 > bytes)
          refuse(`${place}.offset`, `${hex(step.offset)} is not in ${hex(bytes)} bytes`);
        break;
      }
    }
  }

  #add(
    objects: Map<string, Named>,
    name: string,
    { size, vm = 0 }: { size: number; vm?: number },
    place: string,
  ): void {
    if (objects.has(name)) refuse(place, `${JSON.stringify(name)} exists already`);
    objects.set(name, { bytes: requiredBytes(size, this.#blockBytes), vm });
  }

  #find(objects: ReadonlyMap<string, Named>, name: string, place: string): Named {
    const found = objects.get(name);
    if (found !== undefined) return found;
    const names = [...objects.keys()].slice(0, 8).join(", ") || "none";
    return refuse(place, `no ${JSON.stringify(name)} at this step; there are: ${names}`);
  }

  #checkBinds(binds: readonly SparseElement[], resource: Named, place: string): void {
    for (const [i, bind] of binds.entries()) this.#checkBind(bind, resource, `${place}.binds[${i}]`);
    const ascending = [...binds.keys()].sort((a, b) => offsetOf(binds, a) - offsetOf(binds, b));
    for (let i = 1; i < ascending.length; i++) {
      const before = ascending[i - 1] as number;
      const after = ascending[i] as number;
      const { offset, size } = binds[before] as SparseElement;
      if (offset + size <= offsetOf(binds, after)) continue;
      const [first, second] = [Math.min(before, after), Math.max(before, after)];
      refuse(`${place}.binds[${second}]`, `overlaps binds[${first}], and binds of one call have no order`);
    }
  }

  #checkBind({ offset, size, memory }: SparseElement, { bytes, vm: number }: Named, place: string): void {
    this.#aligned(offset, `${place}.offset`);
    if (offset >= bytes)
      refuse(`${place}.offset`, `${hex(offset)} is not in the resource of ${hex(bytes)} bytes`);
    const end = offset + requiredBytes(size, this.#blockBytes);
    if (end > bytes) refuse(`${place}.size`, `${hex(size)} leaves the resource of ${hex(bytes)} bytes`);
    // The last block of a resource may be bound as far as the application asked for it.
    if (end < bytes) this.#aligned(size, `${place}.size`);
    if (!memory) return;
    const { bytes: object, vm: home } = this.#find(this.#memory, memory.object, `${place}.memory.object`);
    if (home !== number) {
      refuse(`${place}.memory.object`, `memory of VM ${home}, and the resource is in VM ${number}`);
    }
    this.#aligned(memory.offset, `${place}.memory.offset`);
    if (memory.offset + (end - offset) > object) {
      refuse(
        `${place}.memory.offset`,
        `${hex(memory.offset)} + ${hex(end - offset)} leaves the memory of ${hex(object)} bytes`,
      );
    }
  }

  #aligned(value: number, place: string): void {
    if (value % this.#blockBytes === 0) return;
    refuse(place, `${hex(value)} is not a multiple of the block ${hex(this.#blockBytes)}`);
  }
}

function offsetOf(binds: readonly SparseElement[], index: number): number {
  return (binds[index] as SparseElement).offset;
}
