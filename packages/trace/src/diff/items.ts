/**
 * The lifted steps of two traces as items that can be compared: under keys that name resources and objects as both traces do.
 *
 * Addresses, handles and numbers of ioctls differ from run to run and mean nothing. A resource of one trace is that of the other which
 * began at the same place in the order, with the same size; an object likewise.
 *
 * @module
 */

import { hex, size } from "@vmbind/drm";
import type { LiftedElement, LiftedMemory, LiftedPart, LiftedResource, LiftedStep } from "../lift/lifted.ts";
import { editsOf } from "./edits.ts";

/** One thing that a trace does. */
export interface DiffItem {
  /** The same in both traces for the same thing. */
  readonly key: string;
  /** What kind of step. */
  readonly step: LiftedStep["step"];
  /** The ioctl, by its `seq`. */
  readonly seq: number;
  /** The operation; null where the whole ioctl is meant. */
  readonly op: number | null;
  /** What it does, in the words of its own trace. */
  readonly text: string;
  /** The resource's name in both traces; empty for none. */
  readonly resource: string;
  /** Byte offset in it; 0 for none. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** The object's name in both traces and the offset in it; empty for none. */
  readonly memory: string;
}

/** Names for what two traces have. */
interface SharedNames {
  /** Of a resource. */
  resource(resource: LiftedResource): string;
  /** Of an object. */
  memory(memory: LiftedMemory): string;
}

/** A step, or an element of one, with the names of its own trace. */
export interface DiffSide {
  /** Its steps. */
  readonly steps: readonly LiftedStep[];
  /** Its items, in order. */
  readonly items: readonly DiffItem[];
  /** Names that both traces share. */
  readonly names: SharedNames;
}

/**
 * @param a - steps of a trace
 * @param b - steps of another
 * @param resourcesOnly - leave out what is no resource, nor bound in one
 * @returns both as items
 */
export function diffSides(
  a: readonly LiftedStep[],
  b: readonly LiftedStep[],
  resourcesOnly: boolean,
): [DiffSide, DiffSide] {
  const wanted = (steps: readonly LiftedStep[]): readonly LiftedStep[] =>
    resourcesOnly ? steps.filter(isAboutResource) : steps;
  const stepsA = wanted(a);
  const stepsB = wanted(b);
  const [resourcesA, resourcesB] = matched(resourcesOf(stepsA), resourcesOf(stepsB), "resource");
  const [memoryA, memoryB] = matched(memoryOf(stepsA), memoryOf(stepsB), "memory");
  return [sideOf(stepsA, namesOf(resourcesA, memoryA)), sideOf(stepsB, namesOf(resourcesB, memoryB))];
}

function isAboutResource({ step }: LiftedStep): boolean {
  return step === "create" || step === "bind" || step === "destroy" || step === "hole";
}

function sideOf(steps: readonly LiftedStep[], names: SharedNames): DiffSide {
  return { steps, names, items: steps.flatMap((step) => itemsOf(step, names)) };
}

function namesOf(
  resources: ReadonlyMap<LiftedResource, string>,
  memory: ReadonlyMap<LiftedMemory, string>,
): SharedNames {
  return {
    resource: (resource) => resources.get(resource) ?? resource.name,
    memory: (object) => memory.get(object) ?? object.name,
  };
}

function resourcesOf(steps: readonly LiftedStep[]): LiftedResource[] {
  return steps.flatMap((step) => (step.step === "create" ? [step.resource] : []));
}

/** Objects in the order in which they are first seen. */
function memoryOf(steps: readonly LiftedStep[]): LiftedMemory[] {
  const seen = new Set<LiftedMemory>();
  for (const step of steps) {
    if (step.step === "allocate" || step.step === "free") seen.add(step.memory);
    else if (step.step === "map" && step.memory !== null) seen.add(step.memory.object);
    else if (step.step === "bind") {
      for (const { memory } of joinedElements(step.binds)) if (memory !== null) seen.add(memory.object);
    }
  }
  return [...seen];
}

/** Give the same name to what has the same size at the same place of the order, and names of their own to all others. */
function matched<T extends { readonly bytes: number; readonly name: string }>(
  a: readonly T[],
  b: readonly T[],
  word: string,
): [Map<T, string>, Map<T, string>] {
  const { gone, come } = editsOf(
    a.map(({ bytes }) => String(bytes)),
    b.map(({ bytes }) => String(bytes)),
  );
  const name = (all: readonly T[], alone: readonly number[], side: string): Map<T, string> => {
    const without = new Set(alone);
    let shared = 0;
    return new Map(
      all.map((one, i) => [one, without.has(i) ? `${side}'s ${one.name}` : `${word} ${++shared}`]),
    );
  };
  return [name(a, gone, "A"), name(b, come, "B")];
}

function itemsOf(step: LiftedStep, names: SharedNames): DiffItem[] {
  const plain = {
    step: step.step,
    seq: step.from.first,
    op: null,
    resource: "",
    offset: 0,
    size: 0,
    memory: "",
  };
  const item = (key: string, text: string, more: Partial<DiffItem> = {}): DiffItem => ({
    ...plain,
    ...more,
    key: `${step.step} ${key}`,
    text,
  });
  switch (step.step) {
    case "create":
    case "destroy": {
      const { resource } = step;
      const shared = names.resource(resource);
      const does = step.step === "create" ? "makes" : "destroys";
      return [item(shared, `${does} ${resource.name}, ${size(resource.bytes)}`, { resource: shared })];
    }
    case "allocate":
    case "free": {
      const shared = names.memory(step.memory);
      const does = step.step === "allocate" ? "makes" : "closes";
      return [item(shared, `${does} ${step.memory.name}, ${size(step.memory.bytes)}`, { memory: shared })];
    }
    case "hole": {
      const shared = names.resource(step.resource);
      const { offset } = step;
      const text = `leaves nothing at ${step.resource.name} + ${hex(offset)}, ${size(step.size)}`;
      return [item(`${shared} ${offset} ${step.size}`, text, { resource: shared, offset, size: step.size })];
    }
    case "map": {
      const memory = partName(step.memory, names);
      const text = `maps ${partText(step.memory)}, ${size(step.size)}, outside of resources`;
      return [item(`${memory} ${step.size}`, text, { memory, size: step.size })];
    }
    case "unmap":
      return [item(String(step.size), `unmaps ${size(step.size)} at ${hex(step.va)}`, { size: step.size })];
    case "bind":
      return joinedElements(step.binds).map((element) => elementItem(element, step.resource, names));
  }
}

function elementItem(
  { offset, size: bytes, memory, seq, op }: LiftedElement,
  resource: LiftedResource,
  names: SharedNames,
): DiffItem {
  const shared = names.resource(resource);
  const part = memory === null ? "" : partName(memory, names);
  const where = `${resource.name} + ${hex(offset)}, ${size(bytes)}`;
  return {
    key: `bind ${shared} ${offset} ${bytes} ${part}`,
    step: "bind",
    seq,
    op,
    text: memory === null ? `unbinds ${where}` : `binds ${partText(memory)} at ${where}`,
    resource: shared,
    offset,
    size: bytes,
    memory: part,
  };
}

/**
 * @param binds - elements of a call
 * @returns them in the order of addresses; neighbours that go on in the resource and in memory are one
 */
function joinedElements(binds: readonly LiftedElement[]): LiftedElement[] {
  const joined: LiftedElement[] = [];
  for (const element of [...binds].sort((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    if (last !== undefined && goesOn(last, element)) {
      joined[joined.length - 1] = { ...last, size: last.size + element.size };
    } else joined.push(element);
  }
  return joined;
}

function goesOn(a: LiftedElement, b: LiftedElement): boolean {
  if (a.offset + a.size !== b.offset) return false;
  if (a.memory === null || b.memory === null) return a.memory === b.memory;
  return a.memory.object === b.memory.object && a.memory.offset + a.size === b.memory.offset;
}

function partName(part: LiftedPart | null, names: SharedNames): string {
  return part === null ? "pages of the process" : `${names.memory(part.object)} + ${hex(part.offset)}`;
}

function partText(part: LiftedPart | null): string {
  return part === null ? "pages of the process" : `${part.object.name} + ${hex(part.offset)}`;
}
