/**
 * Laws about memory that is not there: allocations that fail one after the other and at random, and memory that runs out
 * for real. What a call says it did is what it did: a twin, a device on which nothing fails, is given just that much and
 * must look the same. A driver that undoes a failed call must leave every table entry as it was.
 */

import { type AllocPoint, ENOMEM } from "@vmbind/drm";
import fc from "fast-check";
import { expect } from "vitest";
import { onObject, operation } from "./draw.ts";
import { expectNothingLeft, type Law, must, mustBind, SEED } from "./law.ts";
import { digest, exactDigest } from "./state.ts";
import type { Bound, Facts, Op, Subject, TestFile } from "./subject.ts";

/** One step of a script: what is called. VM 1 is the script's, objects are 1 and up. */
type Step =
  | { kind: "vm" }
  | { kind: "object"; bytes: number; owned: boolean }
  | { kind: "bind"; ops: readonly Op[]; queued: boolean }
  | { kind: "later"; ops: readonly Op[] }
  | { kind: "touch"; va: number }
  | { kind: "own"; call: number; ops: readonly Op[] }
  | { kind: "evict"; what: number | "sparse" }
  | { kind: "restore" }
  | { kind: "close"; object: number }
  | { kind: "destroy" };

const VM = 1;
/** Objects of a script: a large one of VM 1, and a small one. */
const LARGE = 1;
const SMALL = 2;
const SMALL_PAGES = 16;
const LARGE_PAGES = 600;
const FILL_PAGES = 520;
/** Page tables that there is memory for, when it is to run out. */
const TABLES = 40;
/** Objects that memory has room for, when it is to run out. */
const ROOM = 8;

function perform(file: TestFile, step: Step): Bound {
  if (step.kind === "bind") return file.bind(VM, step.ops, step.queued);
  if (step.kind === "later") return file.bindLater?.(VM, step.ops) ?? { ret: 0, done: 0 };
  const only = (ret: number): Bound => ({ ret: Math.min(ret, 0), done: 0 });
  switch (step.kind) {
    case "vm":
      return only(file.createVm());
    case "object":
      return only(file.createObject(step.bytes, step.owned ? { vm: VM } : {}));
    case "touch":
      return only(file.touch?.(VM, step.va) ?? 0);
    case "own":
      return only(file.own[step.call]?.(VM, step.ops, () => 0) ?? 0);
    case "evict":
      return only(file.evict?.(step.what) ?? 0);
    case "restore":
      return only(file.restore?.() ?? 0);
    case "close":
      return only(file.closeObject(step.object));
    case "destroy":
      return only(file.destroyVm(VM));
  }
}

/** Pages of the large object: more than a table has entries, where a table lies between the edges. */
function largePages({ edges, pageBytes }: Facts): number {
  return Math.min(LARGE_PAGES, (edges.at(-1) as number) / pageBytes);
}

/** A range without an object of its own, as far as the driver can say that. */
function filler({ sparse, repeatWindows, pageBytes }: Facts, va: number, bytes: number): Op {
  if (sparse !== null) return { kind: "sparse", va, bytes };
  const window = (repeatWindows[0] ?? SMALL_PAGES) * pageBytes;
  if (repeatWindows.length === 0) {
    return { kind: "bind", va, bytes: Math.min(bytes, window), object: SMALL, offset: 0, access: "rw" };
  }
  const whole = Math.max(1, Math.floor(bytes / window)) * window;
  return { kind: "repeat", va, bytes: whole, object: SMALL, offset: 0, window, access: "rw" };
}

/** Everything that allocates: VM, objects, binds of all kinds, cuts, queued calls, own calls, restore. */
function script({ facts, device }: Subject): Step[] {
  const { seam, elsewhere, pageBytes, edges } = facts;
  const large = largePages(facts) * pageBytes;
  const last = edges.at(-1) as number;
  const fill = FILL_PAGES * pageBytes;
  const bind = (object: number, va: number, pages: number, offset = 0): Op => {
    const bytes = pages * pageBytes;
    return { kind: "bind", va, bytes, object, offset: offset * pageBytes, access: "rw" };
  };
  const unbind = (va: number, pages: number): Op => ({ kind: "unbind", va, bytes: pages * pageBytes });
  const first = [
    bind(LARGE, seam - 4 * pageBytes, large / pageBytes),
    filler(facts, seam + 2 * last + pageBytes, fill),
    bind(SMALL, seam + 9 * pageBytes, SMALL_PAGES),
    unbind(seam + 2 * last + 5 * pageBytes, 1),
    bind(SMALL, elsewhere, 4, 4),
  ];
  const second = [filler(facts, seam + 16 * pageBytes, 8 * pageBytes), unbind(seam + pageBytes, 1)];
  const steps: Step[] = [
    { kind: "vm" },
    { kind: "object", bytes: large, owned: facts.privateObjects },
    { kind: "object", bytes: SMALL_PAGES * pageBytes, owned: false },
    { kind: "bind", ops: first, queued: false },
    { kind: "bind", ops: second, queued: facts.queues },
  ];
  device()
    .open()
    .own.forEach((_, call) => {
      steps.push({ kind: "own", call, ops: [bind(SMALL, elsewhere + large, 2)] });
    });
  for (const name of facts.ownOps) {
    const op: Op = { kind: "own", name, va: seam + 3 * last, bytes: 2 * pageBytes };
    steps.push({ kind: "bind", ops: [op, bind(SMALL, seam + 3 * last + pageBytes, 1)], queued: false });
  }
  if (facts.evicts) {
    steps.push({ kind: "evict", what: LARGE });
    if (facts.sparse !== null) steps.push({ kind: "evict", what: "sparse" });
    const ops = [unbind(seam + 20 * pageBytes, 3), bind(LARGE, elsewhere + 2 * large, 9)];
    steps.push({ kind: "bind", ops, queued: false }, { kind: "restore" });
    steps.push({ kind: "evict", what: LARGE }, { kind: "restore" });
  }
  if (facts.unbindsObjects) {
    steps.push({ kind: "bind", ops: [{ kind: "unbind-object", object: LARGE }], queued: false });
  }
  steps.push({ kind: "close", object: SMALL });
  if (!facts.oneVm) steps.push({ kind: "destroy" });
  return steps;
}

interface FaultRun {
  /** Allocations that were asked for. */
  asked: number;
  /** Steps that failed, with the operations that they had done. */
  failed: [step: number, done: number][];
}

/** Runs a script; what fails is compared with the twin, then done again from where it stopped. */
function run(subject: Subject, steps: readonly Step[], failsAt: (asked: number) => boolean): FaultRun {
  const { facts } = subject;
  let asked = 0;
  let failing: AllocPoint | null = null;
  const device = subject.device({
    allocFault: (point) => {
      if (!failsAt(asked++)) return false;
      failing = point;
      return true;
    },
  });
  const file = device.open();
  const undoes = facts.failedCall === "undoes";
  // Where a failed call is undone, before and after are compared.
  const twin = undoes ? null : subject.device().open();
  const failed: [number, number][] = [];
  const check = (): void => {
    device.check();
    if (twin !== null) expect(digest(file)).toBe(digest(twin));
  };
  for (const [i, whole] of steps.entries()) {
    let step = whole;
    for (;;) {
      const before = undoes ? exactDigest(file) : "";
      failing = null;
      const { ret, done } = perform(file, step);
      const ops = step.kind === "bind" || step.kind === "later" ? step.ops.length : 0;
      const errno = failing === null ? 0 : (subject.faultErrno?.(failing, ops) ?? ENOMEM);
      expect([i, ret]).toEqual([i, 0 - errno]);
      if (ret === 0) break;
      if (step.kind === "bind" || step.kind === "vm") expect(file.reason()).not.toBe("");
      failed.push([i, done]);
      if (undoes) expect(exactDigest(file)).toBe(before);
      if (step.kind === "bind" && done > 0) {
        expect(done).toBeLessThan(ops);
        if (twin !== null) perform(twin, { ...step, ops: step.ops.slice(0, done) });
        step = { ...step, ops: step.ops.slice(done) };
      }
      // A restore brings back mapping by mapping, and what it did stays.
      if (step.kind === "restore") device.check();
      else check();
    }
    if (twin !== null) expect(perform(twin, step).ret).toBe(0);
    if (failed.at(-1)?.[0] === i || i === steps.length - 1) check();
  }
  file.quiesce?.();
  device.check();
  file.close();
  expectNothingLeft(device);
  return { asked, failed };
}

/** Calls on the objects of a script. */
function randomSteps(facts: Facts): fc.Arbitrary<Step[]> {
  const drawn = operation(facts, [largePages(facts), SMALL_PAGES]).map((op) => onObject(op, [LARGE, SMALL]));
  const ops = fc.array(drawn, { minLength: 1, maxLength: 4 });
  const choices: fc.WeightedArbitrary<Step>[] = [
    {
      weight: 6,
      arbitrary: fc.tuple(ops, fc.boolean()).map(([list, queued]): Step => {
        return { kind: "bind", ops: list, queued: queued && facts.queues };
      }),
    },
  ];
  if (facts.evicts) {
    const what =
      facts.sparse === null
        ? fc.constantFrom(LARGE, SMALL)
        : fc.constantFrom(LARGE, SMALL, "sparse" as const);
    choices.push(
      { weight: 1, arbitrary: what.map((evicted): Step => ({ kind: "evict", what: evicted })) },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: "restore" }) },
    );
  }
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength: 8 });
}

export const FAULTS: readonly Law[] = [
  {
    title:
      "whichever allocation fails, the call says so and how far it came, and can be made again from there",
    when: ({ viewOnly, facts }) => !viewOnly && !facts.tablesLater,
    hold(subject) {
      const steps = script(subject);
      const clean = run(subject, steps, () => false);
      expect(clean.failed).toEqual([]);
      const stopped = new Set<string>();
      for (let k = 0; k < clean.asked; k++) {
        const { failed } = run(subject, steps, (asked) => asked === k);
        expect(failed).toHaveLength(1);
        stopped.add(String(failed[0]));
      }
      // VM, objects and binds all failed once; a call that keeps what it did stopped at each of its operations.
      for (const i of [0, 1, 2, 3, 4]) expect(stopped).toContain(`${i},0`);
      const first = steps[3];
      const ops = first?.kind === "bind" && subject.facts.failedCall === "keeps" ? first.ops : [];
      ops.forEach((_, done) => {
        expect(stopped).toContain(`3,${done}`);
      });
      // A queued call was refused as a whole.
      if (subject.facts.queues) expect([...stopped].filter((at) => at.startsWith("4,"))).toEqual(["4,0"]);
    },
  },
  {
    title: "many allocations that fail are survived, in random calls",
    when: ({ viewOnly, facts }) => !viewOnly && !facts.tablesLater,
    hold(subject) {
      let failures = 0;
      const chances = fc.infiniteStream(fc.nat(11));
      fc.assert(
        fc.property(randomSteps(subject.facts), chances, (random, stream) => {
          const next = stream[Symbol.iterator]();
          // Restored at the end, so that the two devices can be compared once more.
          const end: Step[] = subject.facts.evicts ? [{ kind: "restore" }] : [];
          const steps = [...script(subject).slice(0, 3), ...random, ...end];
          failures += run(subject, steps, () => next.next().value === 0).failed.length;
        }),
        { numRuns: 16, seed: SEED },
      );
      expect(failures).toBeGreaterThan(16);
    },
  },
  {
    title: "memory that runs out for real: what does not fit is refused, and fits once there is room",
    when: ({ facts }) => !facts.memoryFirst,
    hold({ facts, device }) {
      const { seam, elsewhere, pageBytes, failedCall, closeUnbinds } = facts;
      const bytes = 2 ** 24;
      const memoryBytes = ROOM * bytes;
      const opened = device({ memoryBytes });
      const file = opened.open();
      const vm = must(file, file.createVm());
      const objects: number[] = [];
      const bind = (object: number, va: number, length = bytes): Op => {
        return { kind: "bind", va, bytes: length, object, offset: 0, access: "rw" };
      };
      const addresses = () => [...file.vm(vm).mappings()].map(({ addr }) => addr);
      // Some drivers give an object its memory at once.
      let refused = false;
      for (let round = 0; round < 3; round++) {
        for (;;) {
          // More than there can be room for: somebody should have said so.
          expect(objects.length).toBeLessThan(2 * ROOM);
          const made = file.createObject(bytes);
          refused = made === -ENOMEM;
          if (refused) break;
          const object = must(file, made);
          const kept = failedCall === "keeps" ? [elsewhere] : [];
          const before = [...addresses(), ...kept].sort((a, b) => a - b);
          // The first operation needs no memory, the second does.
          const ops = [bind(objects[0] ?? object, elsewhere, pageBytes), bind(object, seam + object * bytes)];
          const { ret, done } = file.bind(vm, ops);
          objects.push(object);
          if (ret === 0) {
            mustBind(file, vm, [{ kind: "unbind", va: elsewhere, bytes: pageBytes }]);
            continue;
          }
          expect({ ret, done }).toEqual({ ret: -ENOMEM, done: kept.length });
          expect(addresses()).toEqual(before);
          break;
        }
        opened.check();
        // Some kinds of memory leave gaps.
        expect(objects.length).toBeGreaterThan(3);
        mustBind(file, vm, [{ kind: "unbind", va: elsewhere, bytes: pageBytes }]);
        const first = objects.shift() as number;
        must(file, file.closeObject(first));
        if (!closeUnbinds) mustBind(file, vm, [{ kind: "unbind", va: seam + first * bytes, bytes }]);
        if (refused) objects.push(must(file, file.createObject(bytes)));
        const last = objects.at(-1) as number;
        mustBind(file, vm, [bind(last, seam + last * bytes)]);
      }
      file.close();
      expectNothingLeft(opened);
    },
  },
  {
    title:
      "page-table memory has the limit that was chosen: ENOMEM names it, changes nothing, and goes when tables do",
    when: ({ viewOnly, facts }) => !viewOnly && !facts.tablesLater,
    hold({ facts, device }) {
      const { seam, pageBytes, elsewhere, oneVm } = facts;
      const tableLimitBytes = TABLES * device().memory.tables.pageBytes;
      const opened = device({ tableLimitBytes });
      const first = opened.open();
      // One more table at least, and far fewer than there are.
      const place = (i: number): number => seam + i * 2 ** 30;
      const fill = (): number => {
        const file = oneVm ? opened.open() : first;
        const vm = must(file, file.createVm());
        const object = must(file, file.createObject(pageBytes));
        for (let i = 0; ; i++) {
          expect(i).toBeLessThan(TABLES);
          const before = exactDigest(file);
          const op: Op = { kind: "bind", va: place(i), bytes: pageBytes, object, offset: 0, access: "rw" };
          const { ret, done } = file.bind(vm, [op]);
          if (ret === 0) continue;
          expect({ ret, done }).toEqual({ ret: -ENOMEM, done: 0 });
          expect(file.reason()).toContain(`memory.tableLimitBytes ${tableLimitBytes}`);
          expect(exactDigest(file)).toBe(before);
          opened.check();
          mustBind(file, vm, [{ kind: "unbind", va: place(0), bytes: pageBytes }]);
          if (oneVm) file.close();
          else must(file, file.destroyVm(vm));
          return i;
        }
      };
      const fits = fill();
      expect(fits).toBeGreaterThan(TABLES / 3);
      expect(opened.memory.tables.live).toBeLessThan(TABLES / 2);
      expect(fill()).toBe(fits);
      // Two VMs share the limit.
      const vm = must(first, first.createVm());
      const object = must(first, first.createObject(pageBytes));
      mustBind(first, vm, [
        { kind: "bind", va: elsewhere, bytes: pageBytes, object, offset: 0, access: "rw" },
      ]);
      expect(fill()).toBeLessThan(fits);
      first.close();
      expectNothingLeft(opened);
    },
  },
];
