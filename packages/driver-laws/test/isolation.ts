/**
 * Laws about two files of one device: neither ever sees a byte that the other stored, neither can name what the other
 * has, and memory that changes hands has been zeroed.
 */

import fc from "fast-check";
import { expect } from "vitest";
import { Random } from "../../../test/random.ts";
import { expectNothingLeft, type Law, must, mustBind, SEED } from "./law.ts";
import { Process } from "./process.ts";
import type { Facts, Op, Subject, TestFile } from "./subject.ts";

const STEPS = 240;
const PAGES = 16;

interface Seen {
  /** Pages that one process stored to and the other had mapped later. */
  changedHands: number;
  /** Bytes looked at that bore the own tag. */
  own: number;
  /** Bytes of the other, or kept by a page without memory. */
  foreign: number;
}

/** What a process can see: every byte must be 0 or its own. */
function look(p: Process, storedBy: Map<number, number>, seen: Seen): void {
  for (const { pa, bytes } of p.seen()) {
    if (pa < 0) {
      if (bytes.some((byte) => byte !== 0)) seen.foreign++;
      continue;
    }
    const before = storedBy.get(pa);
    if (before !== undefined && before !== p.tag) seen.changedHands++;
    storedBy.delete(pa);
    for (const byte of bytes) {
      if (byte === 0) continue;
      if (byte === p.tag) seen.own++;
      else seen.foreign++;
      storedBy.set(pa, byte);
    }
  }
}

/** Two processes take turns; after every few steps all that one can see is looked at. */
function live({ facts, device: make }: Subject, seed: number, tlbEntries: number): Seen {
  // Little memory, so that what one gives back the other gets soon.
  const device = make({ memoryBytes: 2 ** 27, tlbEntries });
  const random = new Random(seed);
  // Together more VMs than can run at a time.
  const vmsMax = facts.contextSlots === null ? 4 : Math.ceil(facts.contextSlots / 2) + 2;
  const [a, b] = [0xa1, 0xb2].map((tag) => new Process(device, facts, random, tag, vmsMax)) as [
    Process,
    Process,
  ];
  const storedBy = new Map<number, number>();
  const seen: Seen = { changedHands: 0, own: 0, foreign: 0 };
  for (let i = 0; i < STEPS; i++) {
    const [p, other] = random.below(2) === 0 ? [a, b] : [b, a];
    p.step();
    if (i % 8 === 0) look(p, storedBy, seen);
    if (i % 16 === 8) other.flood();
  }
  for (const p of [a, b]) p.quiesce();
  device.check();
  for (const p of [a, b]) p.close();
  expectNothingLeft(device);
  return seen;
}

const bound = ({ seam, pageBytes }: Facts, object: number): Extract<Op, { kind: "bind" }> => {
  return { kind: "bind", va: seam, bytes: PAGES * pageBytes, object, offset: 0, access: "rw" };
};

type GiveBack = (file: TestFile, vm: number, object: number) => void;

/** Ways in which an object's memory goes back. */
function waysOut(facts: Facts): [name: string, giveBack: GiveBack][] {
  const { seam, pageBytes, sparse, evicts, closeUnbinds, oneVm } = facts;
  const bytes = PAGES * pageBytes;
  const unbind: Op = { kind: "unbind", va: seam, bytes };
  const close = (file: TestFile, object: number) => must(file, file.closeObject(object));
  const ways: [string, GiveBack][] = [
    ["the file is closed", (file) => file.close()],
    [
      "the object is unbound, then closed",
      (file, vm, object) => {
        mustBind(file, vm, [unbind]);
        close(file, object);
      },
    ],
  ];
  const ofVms: [string, GiveBack][] = [
    [
      "its VM is destroyed, then the object closed",
      (file, vm, object) => {
        must(file, file.destroyVm(vm));
        close(file, object);
      },
    ],
    [
      "the object is closed, then its VM destroyed",
      (file, vm, object) => {
        close(file, object);
        must(file, file.destroyVm(vm));
      },
    ],
  ];
  if (!oneVm) ways.push(...ofVms);
  if (closeUnbinds) ways.push(["the object is closed", (file, _vm, object) => close(file, object)]);
  else {
    ways.push([
      "the object is closed, then unbound",
      (file, vm, object) => {
        close(file, object);
        mustBind(file, vm, [unbind]);
      },
    ]);
  }
  if (sparse !== null && !closeUnbinds) {
    ways.push([
      "the object is closed, and a sparse range takes its place",
      (file, vm, object) => {
        close(file, object);
        mustBind(file, vm, [{ kind: "sparse", va: seam - bytes, bytes: 3 * bytes }]);
      },
    ]);
  }
  if (evicts) {
    ways.push(
      ["the object is evicted", (file, _vm, object) => must(file, file.evict?.(object) ?? 0)],
      [
        "the object is evicted, bound anew, and evicted again",
        (file, vm, object) => {
          must(file, file.evict?.(object) ?? 0);
          mustBind(file, vm, [{ ...bound(facts, object), va: seam + 64 * bytes }]);
          must(file, file.evict?.(object) ?? 0);
        },
      ],
    );
  }
  return ways;
}

export const ISOLATION: readonly Law[] = [
  {
    title: "two hostile processes see nothing of each other",
    hold(subject) {
      let changedHands = 0;
      let own = 0;
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 2 ** 30 }), fc.constantFrom(64, 16384), (seed, tlbEntries) => {
          const seen = live(subject, seed, tlbEntries);
          expect(seen.foreign).toBe(0);
          changedHands += seen.changedHands;
          own += seen.own;
        }),
        { numRuns: 4, seed: SEED, endOnFailure: true },
      );
      // The law could have been broken: stores were seen by their owner, and pages did change hands.
      expect({ changedHands: changedHands > 0, own: own > 0 }).toEqual({ changedHands: true, own: true });
    },
  },
  {
    title: "memory that changes hands reads as zero, whichever way it was given back",
    hold({ facts, device: make }) {
      const { seam, pageBytes } = facts;
      const bytes = PAGES * pageBytes;
      const full = new Uint8Array(pageBytes).fill(0xee);
      for (const [way, giveBack] of waysOut(facts)) {
        for (const { name: kind } of facts.objectKinds) {
          const device = make();
          const first = device.open();
          const vm = must(first, first.createVm());
          const object = must(first, first.createObject(bytes, { kind }));
          mustBind(first, vm, [bound(facts, object)]);
          const space = first.vm(vm).space();
          const had = space.translate(seam).pa;
          for (let at = 0; at < bytes; at += pageBytes) space.store(seam + at, full);
          giveBack(first, vm, object);
          const next = device.open();
          const nextVm = must(next, next.createVm());
          // As much as it takes to get the same page: then it was the very same memory.
          let found = false;
          for (let i = 0; i < 64 && !found; i++) {
            const mine = must(next, next.createObject(bytes, { kind }));
            mustBind(next, nextVm, [bound(facts, mine)]);
            const mySpace = next.vm(nextVm).space();
            found = mySpace.translate(seam).pa === had;
            expect([way, kind, mySpace.load(seam, bytes).every((byte) => byte === 0)]).toEqual([
              way,
              kind,
              true,
            ]);
          }
          expect([way, kind, found]).toEqual([way, kind, true]);
          // What was given back is out of sight.
          for (const [, { space: seen }] of first.vms()) {
            for (const va of [seam, seam + 64 * bytes]) {
              const walk = seen().translate(va);
              expect([way, walk.kind === "page" && walk.pa === had]).toEqual([way, false]);
            }
          }
          device.check();
          next.close();
          if (way !== "the file is closed") first.close();
          expectNothingLeft(device);
        }
      }
    },
  },
  {
    title: "what is stored into a sparse range is for the own file at most, and for nobody after it",
    when: ({ facts }) => facts.sparse !== null,
    hold({ facts, device: make }) {
      const { seam, pageBytes, sparse, oneVm } = facts;
      const device = make();
      const [victim, spy] = [device.open(), device.open()];
      const range: Op = { kind: "sparse", va: seam, bytes: 2 ** 22 };
      const spaceOf = (file: TestFile) => {
        const vm = must(file, file.createVm());
        mustBind(file, vm, [range]);
        return file.vm(vm).space();
      };
      const mine = spaceOf(victim);
      const [mineToo, theirs] = [oneVm ? mine : spaceOf(victim), spaceOf(spy)];
      const ats = [0, pageBytes, 2 ** 20 + 5 * pageBytes].map((at) => seam + at + 0x230);
      for (const at of ats) {
        mine.store8(at, 0xee);
        const kept = sparse?.stores === "kept" ? 0xee : 0;
        expect([mine, mineToo, theirs].map((space) => space.load8(at))).toEqual([kept, kept, 0]);
      }
      if (sparse?.stores === "dropped")
        expect(device.left()).toMatchObject({ backingBytes: 0, residentBytes: 0 });
      const { pa } = mine.translate(seam);
      victim.close();
      const heir = device.open();
      const inherited = spaceOf(heir);
      // The very same memory, where there is any.
      expect(inherited.translate(seam).pa).toBe(pa);
      for (const at of ats) expect([inherited, theirs].map((space) => space.load8(at))).toEqual([0, 0]);
      device.check();
      spy.close();
      heir.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "what is mapped without a bind is the VM's own, and new in each",
    when: ({ facts }) => facts.alwaysMapped.length > 0,
    hold({ facts, device: make }) {
      const device = make();
      const file = device.open();
      for (const va of facts.alwaysMapped) {
        const [one, two] = [must(file, file.createVm()), must(file, file.createVm())];
        file.vm(one).space().store8(va, 0xee);
        expect([one, two].map((vm) => file.vm(vm).space().load8(va))).toEqual([0xee, 0]);
        const { pa } = file.vm(one).space().translate(va);
        must(file, file.destroyVm(one));
        const heir = must(file, file.createVm());
        const space = file.vm(heir).space();
        expect([space.translate(va).pa, space.load8(va)]).toEqual([pa, 0]);
      }
      file.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "handles and ids of one file mean nothing in another",
    hold({ facts, device: make }) {
      const { seam, pageBytes, unknownVm, unknownObject, oneVm } = facts;
      const device = make();
      const owner = device.open();
      const vms = oneVm ? 1 : 3;
      for (let i = 0; i < vms; i++) must(owner, owner.createVm());
      const handles = [1, 2, 3].map(() => must(owner, owner.createObject(pageBytes)));
      const ids = [...owner.vms()].map(([id]) => id);
      const file = device.open();
      const vm = must(file, file.createVm());
      const unbind: Op = { kind: "unbind", va: seam, bytes: pageBytes };
      // The spy's own VM has a number that the owner knows, too.
      for (const id of ids.filter((other) => other !== vm)) {
        expect({
          bind: file.bind(id, [unbind]).ret,
          destroy: file.destroyVm(id),
          createObject: file.createObject(pageBytes, { vm: id }),
        }).toEqual(negative(unknownVm));
      }
      for (const object of handles) {
        const op: Op = { kind: "bind", va: seam, bytes: pageBytes, object, offset: 0, access: "rw" };
        expect({
          bind: file.bind(vm, [op]).ret,
          close: file.closeObject(object),
          mmapOffset: file.mmapOffset(object),
        }).toEqual(negative(unknownObject));
      }
      expect([[...owner.vms()].length, [...owner.objects()].length]).toEqual([vms, 3]);
      device.check();
    },
  },
];

function negative(errnos: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(errnos).map(([call, errno]) => [call, -errno]));
}
