/**
 * A lifted trace as a workload: what one driver's recording says an application asked for, to be lowered by every strategy.
 *
 * Names and addresses become the workload's own. The VM with most steps is VM 0. Plain binds are ranges of addresses without sparse
 * residency: mappings that ever overlap are parts of one. A hole that an unmap has torn is an unbind; one that is left where an object
 * went is nothing that an application asked for.
 *
 * The binds of a recording are made of its driver's blocks. A strategy whose kernel takes pages as small gets them as they are; one with
 * larger pages gets its own blocks in place of the recorded ones, so that resources and memory that are bound grow by that factor.
 *
 * @module
 */

import type { Lifted, LiftedFrom, LiftedMemory, LiftedResource, LiftedStep } from "@vmbind/trace";
import type { Step } from "./workload.ts";

/** The steps of a lifted trace. */
export interface LiftedSteps {
  /** What the application does. */
  readonly steps: readonly Step[];
  /** Where each step came from. */
  readonly from: readonly LiftedFrom[];
  /** Bytes of the largest power of two that all binds are made of; 0 where nothing is bound. */
  readonly unitBytes: number;
}

/**
 * @param lifted - a lifted trace
 * @returns its steps under names of their own
 */
export function stepsOfLifted({ steps }: Pick<Lifted, "steps">): LiftedSteps {
  const writer = new StepWriter(vmsOf(steps), plainRanges(steps));
  for (const step of steps) writer.take(step);
  return { steps: writer.steps, from: writer.from, unitBytes: unitOf(writer.steps) };
}

/**
 * Steps for a driver with this block.
 *
 * @param lifted - steps of a recording
 * @param blockBytes - what binds have to be made of, bytes
 * @returns the steps, with everything that is bound larger where the recording's blocks are smaller
 */
export function stepsInBlocks({ steps, unitBytes }: LiftedSteps, blockBytes: number): readonly Step[] {
  if (unitBytes === 0 || unitBytes % blockBytes === 0) return steps;
  const factor = blockBytes / unitBytes;
  const resources = new Set<string>();
  const memory = new Set<string>();
  for (const step of steps) {
    if (step.step !== "bind") continue;
    resources.add(step.resource);
    for (const bind of step.binds) if (bind.memory) memory.add(bind.memory.object);
  }
  return steps.map((step): Step => {
    switch (step.step) {
      case "create":
        return resources.has(step.resource) ? { ...step, size: step.size * factor } : step;
      case "allocate":
        return memory.has(step.memory) ? { ...step, size: step.size * factor } : step;
      case "bind":
        return {
          ...step,
          binds: step.binds.map(({ offset, size, memory: from }) => ({
            offset: offset * factor,
            size: size * factor,
            memory: from && { object: from.object, offset: from.offset * factor },
          })),
        };
      default:
        return step;
    }
  });
}

/** VMs by file and id: the one with most steps is 0. */
function vmsOf(steps: readonly LiftedStep[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { from } of steps) counts.set(keyOf(from), (counts.get(keyOf(from)) ?? 0) + 1);
  const ordered = [...counts].sort(([, a], [, b]) => b - a).map(([key]) => key);
  return new Map(ordered.map((key, vm) => [key, vm]));
}

function keyOf({ file, vm }: LiftedFrom): string {
  return `${file} ${vm}`;
}

/** A range of addresses in which plain binds lie. */
interface PlainRange {
  readonly name: string;
  readonly va: number;
  end: number;
  isMade: boolean;
}

/** By VM: ranges that plain binds make, those that overlap at any time joined. */
function plainRanges(steps: readonly LiftedStep[]): Map<string, PlainRange[]> {
  const byVm = new Map<string, { va: number; end: number }[]>();
  for (const step of steps) {
    if (step.step !== "map") continue;
    const ranges = byVm.get(keyOf(step.from)) ?? [];
    byVm.set(keyOf(step.from), ranges);
    ranges.push({ va: step.va, end: step.va + step.size });
  }
  let count = 0;
  const joined = new Map<string, PlainRange[]>();
  for (const [key, ranges] of byVm) {
    const found: PlainRange[] = [];
    for (const { va, end } of ranges.sort((a, b) => a.va - b.va)) {
      const last = found.at(-1);
      if (last && va < last.end) last.end = Math.max(last.end, end);
      else found.push({ name: `plain-${++count}`, va, end, isMade: false });
    }
    joined.set(key, found);
  }
  return joined;
}

class StepWriter {
  readonly steps: Step[] = [];
  readonly from: LiftedFrom[] = [];
  readonly #vms: ReadonlyMap<string, number>;
  readonly #plain: ReadonlyMap<string, readonly PlainRange[]>;
  /** Names of an object by VM: memory is of one VM here. */
  readonly #memory = new Map<LiftedMemory, Map<number, string>>();

  constructor(vms: ReadonlyMap<string, number>, plain: ReadonlyMap<string, readonly PlainRange[]>) {
    this.#vms = vms;
    this.#plain = plain;
  }

  take(step: LiftedStep): void {
    const { from } = step;
    const vm = this.#vms.get(keyOf(from)) ?? 0;
    const inVm = vm === 0 ? {} : { vm };
    switch (step.step) {
      case "create": {
        const resource = nameOf(step.resource);
        this.#add({ step: "create", resource, size: step.resource.bytes, ...inVm }, from);
        break;
      }
      case "destroy":
        this.#add({ step: "destroy", resource: nameOf(step.resource) }, from);
        break;
      case "allocate":
        this.#memoryIn(step.memory, vm, from);
        break;
      case "free":
        for (const memory of this.#memory.get(step.memory)?.values() ?? []) {
          this.#add({ step: "free", memory }, from);
        }
        this.#memory.delete(step.memory);
        break;
      case "bind": {
        const binds = step.binds.map(({ offset, size, memory }) => ({
          offset,
          size,
          memory: memory && {
            object: this.#memoryIn(memory.object, vm, from),
            offset: memory.offset,
          },
        }));
        this.#add({ step: "bind", resource: nameOf(step.resource), binds }, from);
        break;
      }
      case "hole":
        if (step.because === "range") {
          const { offset, size } = step;
          const binds = [{ offset, size, memory: null }];
          this.#add({ step: "bind", resource: nameOf(step.resource), binds }, from);
        }
        break;
      case "map":
      case "unmap":
        this.#bindPlainly(step, vm);
        break;
    }
  }

  #add(step: Step, from: LiftedFrom): void {
    this.steps.push(step);
    this.from.push(from);
  }

  #bindPlainly(step: Extract<LiftedStep, { step: "map" | "unmap" }>, vm: number): void {
    const { va, size, from } = step;
    const range = this.#plain.get(keyOf(from))?.find((one) => va >= one.va && va < one.end);
    // A part of where an object shows whole has no range: taking it away is nothing that can be said here.
    if (range === undefined) return;
    const memory = step.step === "map" && step.memory ? step.memory : null;
    const object = memory && this.#memoryIn(memory.object, vm, from);
    if (!range.isMade) {
      range.isMade = true;
      const inVm = vm === 0 ? {} : { vm };
      const whole = { resource: range.name, size: range.end - range.va };
      this.#add({ step: "create", ...whole, plain: true, ...inVm }, from);
    }
    const bound = memory && object !== null ? { object, offset: memory.offset } : null;
    const binds = [{ offset: va - range.va, size: Math.min(size, range.end - va), memory: bound }];
    this.#add({ step: "bind", resource: range.name, binds }, from);
  }

  /** The name of an object in a VM; allocated there when it is first needed. */
  #memoryIn(memory: LiftedMemory, vm: number, from: LiftedFrom): string {
    const names = this.#memory.get(memory) ?? new Map<number, string>();
    this.#memory.set(memory, names);
    const known = names.get(vm);
    if (known !== undefined) return known;
    const name = names.size === 0 ? nameOf(memory) : `${nameOf(memory)}-in-vm-${vm}`;
    names.set(vm, name);
    const inVm = vm === 0 ? {} : { vm };
    this.#add({ step: "allocate", memory: name, size: Math.max(memory.bytes, 1), ...inVm }, from);
    return name;
  }
}

/** A name as workload files have them. */
function nameOf({ name }: LiftedResource | LiftedMemory): string {
  return name.replace(/[ #]+/g, "-").replace(/[()]/g, "");
}

function unitOf(steps: readonly Step[]): number {
  let unit = 0;
  for (const step of steps) {
    if (step.step !== "bind") continue;
    for (const { offset, size, memory } of step.binds) {
      unit = commonDivisor(commonDivisor(unit, offset), commonDivisor(size, memory?.offset ?? 0));
    }
  }
  let power = 1;
  while (unit > 0 && unit % (2 * power) === 0) power *= 2;
  return unit === 0 ? 0 : power;
}

function commonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
