/** Laws about requests that are refused. */

import { expect } from "vitest";
import { expectNothingLeft, type Law, must, mustBind } from "./law.ts";
import { digest, exactDigest } from "./state.ts";
import type { Facts, Op, TestFile } from "./subject.ts";

const PAGES = 48;

/** What no driver may accept, by what is wrong with it. */
function wrong(facts: Facts, object: number): [name: string, op: Op][] {
  const { seam, pageBytes, vaEnd } = facts;
  const good = { va: seam, bytes: 4 * pageBytes };
  const bind: Op = { kind: "bind", ...good, object, offset: 0, access: "rw" };
  const list: [string, Op][] = [
    ["an address inside a page", { ...bind, va: seam + pageBytes / 2 }],
    ["a length that is no whole page", { ...bind, bytes: pageBytes + 1 }],
    ["an offset inside a page", { ...bind, offset: pageBytes / 4 }],
    ["a range that ends behind the object", { ...bind, offset: (PAGES - 3) * pageBytes }],
    ["an offset behind the object", { ...bind, offset: 2 ** 40 }],
    ["a range that ends behind the address space", { ...bind, va: vaEnd - pageBytes }],
    ["an address behind the address space", { ...bind, va: vaEnd }],
    ["an address at the end of 64 bits", { ...bind, va: 2 ** 64 - 2 ** 14 }],
    ["a handle of nothing", { ...bind, object: 77 }],
    ["the handle 0", { ...bind, object: 0 }],
    ["an unbind inside a page", { kind: "unbind", va: seam + 1, bytes: pageBytes }],
    ["an unbind behind the address space", { kind: "unbind", va: vaEnd, bytes: pageBytes }],
  ];
  if (facts.sparse !== null) {
    list.push(["a sparse range inside a page", { kind: "sparse", va: seam + 8, bytes: pageBytes }]);
    list.push(["a sparse range behind the address space", { kind: "sparse", va: vaEnd, bytes: pageBytes }]);
  }
  const [window] = facts.repeatWindows;
  if (window !== undefined) {
    const repeat = { kind: "repeat", ...good, object, window: window * pageBytes, access: "rw" } as const;
    list.push(["a window behind the object", { ...repeat, offset: PAGES * pageBytes }]);
  }
  if (facts.unbindsObjects) list.push(["no object to unbind", { kind: "unbind-object", object: 77 }]);
  return list;
}

/** A state with mappings of all kinds, cut. The object is number 1. */
function furnish(file: TestFile, { seam, pageBytes, sparse, privateObjects }: Facts): number {
  const vm = must(file, file.createVm());
  const owner = privateObjects ? { vm } : {};
  const object = must(file, file.createObject(PAGES * pageBytes, owner));
  const bytes = PAGES * pageBytes;
  mustBind(file, vm, [
    { kind: "bind", va: seam - 8 * pageBytes, bytes, object, offset: 0, access: "r" },
    { kind: "unbind", va: seam + 3 * pageBytes, bytes: pageBytes },
  ]);
  if (sparse !== null) mustBind(file, vm, [{ kind: "sparse", va: seam + 20 * pageBytes, bytes: 4 * bytes }]);
  return vm;
}

export const REFUSALS: readonly Law[] = [
  {
    title: "a refused call says why, and leaves no trace but what it did before",
    hold({ facts, device }) {
      const { seam, pageBytes, failedCall } = facts;
      const opened = device();
      const file = opened.open();
      const twin = device().open();
      const vm = furnish(file, facts);
      furnish(twin, facts);
      const [[object]] = [...file.objects()] as [[number, unknown]];
      for (const [i, [name, op]] of wrong(facts, object).entries()) {
        const good: Op = { kind: "unbind", va: seam + (4 + i) * pageBytes, bytes: pageBytes };
        const calls: [ops: Op[], done: number, queued: boolean][] = [
          [[op, good], 0, false],
          [[op], 0, false],
          [[good, op], failedCall === "keeps" ? 1 : 0, false],
        ];
        // Last, so that what a refused queue left would show in the next round.
        if (facts.queues) calls.unshift([[good, op], 0, true]);
        for (const [ops, done, queued] of calls) {
          const before = exactDigest(file);
          const bound = file.bind(vm, ops, queued);
          expect([name, bound.ret < 0, bound.done]).toEqual([name, true, done]);
          expect([name, file.reason()]).toEqual([name, expect.stringMatching(/^[\w[\].]+: ./)]);
          if (done === 0) expect([name, exactDigest(file)]).toEqual([name, before]);
          else mustBind(twin, vm, ops.slice(0, done));
          expect([name, digest(file)]).toEqual([name, digest(twin)]);
          opened.check();
        }
      }
      file.close();
      expectNothingLeft(opened);
    },
  },
  {
    title: "what cannot be made, closed or destroyed leaves no trace either",
    hold({ facts, device }) {
      const opened = device();
      const file = opened.open();
      furnish(file, facts);
      const before = [exactDigest(file), opened.left()];
      const calls: [name: string, call: () => number][] = [
        ["a handle of nothing", () => file.closeObject(77)],
        ["an mmap offset of nothing", () => file.mmapOffset(77)],
      ];
      const ofVms: typeof calls = [
        ["an object of no VM", () => file.createObject(facts.pageBytes, { vm: 77 })],
        ["a VM of nothing", () => file.destroyVm(77)],
        [
          "a bind in no VM",
          () => file.bind(77, [{ kind: "unbind", va: facts.seam, bytes: facts.pageBytes }]).ret,
        ],
      ];
      if (!facts.oneVm) calls.push(...ofVms);
      for (const [name, call] of calls) {
        expect([name, call() < 0]).toEqual([name, true]);
        expect([name, file.reason()]).toEqual([name, expect.stringMatching(/^[\w[\].]+: ./)]);
        expect([name, exactDigest(file), opened.left()]).toEqual([name, ...before]);
        opened.check();
      }
      file.close();
      expectNothingLeft(opened);
    },
  },
];
