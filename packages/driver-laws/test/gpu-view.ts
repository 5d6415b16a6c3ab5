/** Laws about what the GPU sees. */

import fc from "fast-check";
import { expect } from "vitest";
import { type DrawnOp, onObject, operation } from "./draw.ts";
import { expectNothingLeft, type Law, must, mustBind, SEED } from "./law.ts";
import { PageArray, stampObject, stampSparse } from "./page-array.ts";
import type { Facts, Op, Subject, TestDevice, TestFile } from "./subject.ts";

/** What happens between two looks at the pages. */
type Event =
  | { kind: "call"; ops: DrawnOp[]; later: boolean }
  /** The GPU accesses the first mapping. */
  | { kind: "touch" }
  /** A handle is closed, and a new object made in its place. */
  | { kind: "replace"; object: number }
  /** `object` counts one more than there are: what is behind sparse ranges. */
  | { kind: "evict"; object: number }
  | { kind: "restore" };

function events(facts: Facts): fc.Arbitrary<Event[]> {
  const sizes = facts.objectPages;
  const call = fc.array(operation(facts, sizes), { minLength: 1, maxLength: facts.opsMax });
  const later = facts.bindsLater ? fc.boolean() : fc.constant(false);
  const object = fc.nat(sizes.length - 1);
  const choices: fc.WeightedArbitrary<Event>[] = [
    {
      weight: 8,
      arbitrary: fc.tuple(call, later).map(([ops, later]): Event => ({ kind: "call", ops, later })),
    },
    { weight: 1, arbitrary: object.map((i): Event => ({ kind: "replace", object: i })) },
  ];
  if (facts.bindsLater) choices.push({ weight: 1, arbitrary: fc.constant<Event>({ kind: "touch" }) });
  if (facts.evicts) {
    const evicted = fc.nat(sizes.length - (facts.sparse?.stores === "kept" ? 0 : 1));
    choices.push(
      { weight: 1, arbitrary: evicted.map((i): Event => ({ kind: "evict", object: i })) },
      { weight: 1, arbitrary: fc.constant<Event>({ kind: "restore" }) },
    );
  }
  return fc.array(fc.oneof(...choices), { minLength: 1, maxLength: 12 });
}

/** A VM of a driver beside an array of pages that is changed page by page. */
class Pair {
  readonly #facts: Facts;
  readonly #device: TestDevice;
  readonly #file: TestFile;
  readonly #vm: number;
  readonly #pages: PageArray;
  readonly #handles: number[] = [];
  /** Number of each object in the page array. */
  readonly #numbers: number[] = [];
  #numbered = 0;

  constructor({ facts, device }: Subject) {
    this.#facts = facts;
    this.#device = device({ tlbEntries: 256, memoryBytes: 2 ** 32 });
    this.#file = this.#device.open();
    this.#vm = must(this.#file, this.#file.createVm());
    this.#pages = new PageArray(facts);
    facts.objectPages.forEach((_, i) => {
      this.#make(i);
    });
    stampSparse(this.#file, this.#vm, facts);
  }

  #make(i: number): void {
    const { objectKinds, objectPages, privateObjects, pageBytes } = this.#facts;
    const kinds = objectKinds.filter(({ grain }) => grain === pageBytes);
    const kind = kinds[(i + this.#numbered) % kinds.length]?.name as string;
    const pages = objectPages[i] as number;
    const owner = privateObjects && i > 0 ? { vm: this.#vm } : {};
    const handle = must(this.#file, this.#file.createObject(pages * pageBytes, { kind, ...owner }));
    this.#handles[i] = handle;
    this.#numbers[i] = ++this.#numbered;
    stampObject(this.#file, this.#vm, this.#facts, handle, this.#numbered, pages);
  }

  happen(event: Event): void {
    const file = this.#file;
    if (event.kind === "call") {
      const ops = event.ops.map((op) => onObject(op, this.#handles));
      if (event.later) must(file, file.bindLater?.(this.#vm, ops).ret ?? 0);
      else mustBind(file, this.#vm, ops);
      for (const op of event.ops) {
        const number = "object" in op ? (this.#numbers[op.object] as number) : 0;
        this.#pages.apply(op, number, event.later);
      }
    } else if (event.kind === "touch") {
      const [first] = [...file.vm(this.#vm).mappings()];
      if (first !== undefined) must(file, file.touch?.(this.#vm, first.addr) ?? 0);
    } else if (event.kind === "replace") {
      must(file, file.closeObject(this.#handles[event.object] as number));
      if (this.#facts.closeUnbinds) this.#pages.forget(this.#numbers[event.object] as number);
      this.#make(event.object);
    } else if (event.kind === "evict") {
      const handle = this.#handles[event.object];
      must(file, file.evict?.(handle ?? "sparse") ?? 0);
      this.#pages.evict(this.#numbers[event.object] ?? 0);
    } else {
      must(file, file.restore?.() ?? 0);
      this.#pages.restore();
    }
  }

  check(): void {
    this.#pages.check(this.#file.vm(this.#vm));
    this.#device.check();
  }

  finish(): void {
    const { seam, edges, pageBytes, freesTables, oneVm } = this.#facts;
    const va = seam + (edges[0] as number) - 64 * pageBytes;
    const bytes = seam + (edges.at(-1) as number) + 2 ** 26 - va;
    const all: Op = { kind: "unbind", va, bytes };
    mustBind(this.#file, this.#vm, [all]);
    this.#pages.apply(all, 0);
    this.check();
    expect([...this.#file.vm(this.#vm).mappings()]).toEqual([]);
    if (freesTables) {
      const { tables } = this.#device.memory;
      const { live } = tables;
      const file = oneVm ? this.#device.open() : this.#file;
      const fresh = must(file, file.createVm());
      expect(live).toBe(tables.live - live);
      if (oneVm) file.close();
      else must(file, file.destroyVm(fresh));
    }
    this.#file.close();
    expectNothingLeft(this.#device);
  }
}

/** A file with a VM, and an object in it. */
function withObject({ facts, device }: Subject, pages: number, kind?: string) {
  const opened = device();
  const file = opened.open();
  const vm = must(file, file.createVm());
  const bytes = pages * facts.pageBytes;
  const object = must(file, file.createObject(bytes, kind === undefined ? {} : { kind }));
  return { device: opened, file, vm, object, bytes };
}

const bound = (object: number, va: number, bytes: number): Op => ({
  kind: "bind",
  va,
  bytes,
  object,
  offset: 0,
  access: "rw",
});

export const GPU_VIEW: readonly Law[] = [
  {
    title: "any sequence of operations shows what an array of pages shows, in the tables and through the TLB",
    hold(subject) {
      fc.assert(
        fc.property(events(subject.facts), (sequence) => {
          const pair = new Pair(subject);
          for (const event of sequence) {
            pair.happen(event);
            pair.check();
          }
          pair.finish();
        }),
        // Variants share most of what another subject has shown.
        { numRuns: subject.viewOnly ? 16 : 25, seed: SEED },
      );
    },
  },
  {
    title: "what is stored through one mapping is loaded through every other, in every VM of the file",
    hold(subject) {
      const { seam, pageBytes, elsewhere, oneVm } = subject.facts;
      const { device, file, vm, object, bytes } = withObject(subject, 32);
      const other = oneVm ? vm : must(file, file.createVm());
      mustBind(file, vm, [bound(object, seam, bytes), bound(object, elsewhere, bytes)]);
      const there = oneVm ? elsewhere + 2 * bytes : seam - pageBytes;
      mustBind(file, other, [bound(object, there, bytes)]);
      const at = 17 * pageBytes + 5;
      file
        .vm(vm)
        .space()
        .store8(seam + at, 42);
      expect(
        file
          .vm(vm)
          .space()
          .load8(elsewhere + at),
      ).toBe(42);
      expect(
        file
          .vm(other)
          .space()
          .load8(there + at),
      ).toBe(42);
      device.check();
    },
  },
  {
    title: "nothing answers beside a mapping",
    hold(subject) {
      const { seam, pageBytes, unbound } = subject.facts;
      const { file, vm, object } = withObject(subject, 32);
      for (const pages of [1, 16, 32]) {
        const bytes = pages * pageBytes;
        mustBind(file, vm, [bound(object, seam, bytes)]);
        const space = file.vm(vm).space();
        const kinds = [seam - 1, seam, seam + bytes - 1, seam + bytes].map((va) => space.translate(va).kind);
        expect(kinds).toEqual([unbound, "page", "page", unbound]);
        mustBind(file, vm, [{ kind: "unbind", va: seam, bytes }]);
      }
    },
  },
  {
    title: "where nothing is bound, a store is swallowed, if it does not fault",
    hold({ facts, device }) {
      const opened = device();
      const file = opened.open();
      const vm = must(file, file.createVm());
      const space = file.vm(vm).space();
      for (const va of [0, facts.seam, facts.elsewhere, facts.vaEnd - facts.pageBytes]) {
        if (facts.unbound === "null") {
          expect(space.load64(va)).toBe(0n);
          space.store64(va, 0x0102_0304_0506_0708n);
          expect(space.load64(va)).toBe(0n);
        } else {
          expect(() => space.load64(va)).toThrow("not-present");
          expect(() => space.store64(va, 1n)).toThrow("not-present");
        }
      }
      expect(opened.left()).toMatchObject({ residentBytes: 0 });
    },
  },
  {
    title: "an object lives until its last mapping goes, though its handle is closed",
    when: ({ facts }) => !facts.closeUnbinds,
    hold(subject) {
      const { seam, elsewhere } = subject.facts;
      const { device, file, vm, object, bytes } = withObject(subject, 32);
      mustBind(file, vm, [bound(object, seam, bytes), bound(object, elsewhere, bytes)]);
      const space = file.vm(vm).space();
      space.store8(seam + 5, 9);
      must(file, file.closeObject(object));
      device.check();
      expect(space.load8(elsewhere + 5)).toBe(9);
      mustBind(file, vm, [{ kind: "unbind", va: seam, bytes }]);
      expect([space.load8(elsewhere + 5), device.left()["backingBytes"]]).toEqual([9, bytes]);
      mustBind(file, vm, [{ kind: "unbind", va: elsewhere, bytes }]);
      expect(device.left()["backingBytes"]).toBe(0);
      file.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "closing a handle unbinds its object in every VM",
    when: ({ facts }) => facts.closeUnbinds,
    hold(subject) {
      const { seam, elsewhere, unbound, oneVm } = subject.facts;
      const { device, file, vm, object, bytes } = withObject(subject, 32);
      mustBind(file, vm, [bound(object, seam, bytes), bound(object, elsewhere, bytes)]);
      const other = oneVm ? vm : must(file, file.createVm());
      if (!oneVm) mustBind(file, other, [bound(object, seam, bytes)]);
      expect(file.vm(vm).space().load8(seam)).toBe(0);
      must(file, file.closeObject(object));
      device.check();
      for (const [id, va] of [
        [vm, seam],
        [vm, elsewhere],
        [other, seam],
      ] as const) {
        expect(file.vm(id).space().translate(va).kind).toBe(unbound);
      }
      file.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "an object that belongs to one VM is refused by another",
    when: ({ facts }) => facts.privateObjects && !facts.oneVm,
    hold({ facts, device }) {
      const file = device().open();
      const [vm, other] = [must(file, file.createVm()), must(file, file.createVm())];
      const object = must(file, file.createObject(facts.pageBytes, { vm }));
      const op = bound(object, facts.seam, facts.pageBytes);
      expect(file.bind(vm, [op]).ret).toBe(0);
      expect(file.bind(other, [op]).ret).toBeLessThan(0);
      expect([...file.vm(other).mappings()]).toEqual([]);
    },
  },
  {
    title: "a sparse range reads zero and never faults, around whatever comes and goes inside it",
    when: ({ facts }) => facts.sparse !== null,
    hold(subject) {
      const { facts } = subject;
      const { device, file, vm, object, bytes } = withObject(subject, 32);
      const va = facts.seam + (facts.edges[0] as number);
      const range = (facts.edges.at(-1) as number) - (facts.edges[0] as number);
      const tile = facts.seam - 16 * facts.pageBytes;
      const space = file.vm(vm).space();
      const zeros = (holes: readonly number[]): void => {
        for (const at of [va, tile - 8, tile + bytes, va + range / 2, va + range - 8, ...holes]) {
          expect(space.load64(at)).toBe(0n);
        }
      };
      mustBind(file, vm, [{ kind: "sparse", va, bytes: range }]);
      zeros([tile]);
      mustBind(file, vm, [bound(object, tile, bytes)]);
      space.store8(tile, 42);
      expect(space.load8(tile)).toBe(42);
      zeros([tile + 8]);
      mustBind(file, vm, [{ kind: "sparse", va: tile, bytes }]);
      zeros([tile]);
      mustBind(file, vm, [bound(object, tile, bytes)]);
      expect(space.load8(tile)).toBe(42);
      mustBind(file, vm, [{ kind: "unbind", va, bytes: range }]);
      expect(space.translate(tile).kind).toBe(facts.unbound);
      device.check();
      expect(space.faults).toEqual([]);
      file.close();
      expectNothingLeft(device);
    },
  },
];
