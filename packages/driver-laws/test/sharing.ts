/** Laws about what the DRM core gives every driver: objects that go from file to file, where their bytes are, mmap offsets. */

import type { GemObject } from "@vmbind/drm";
import type { PhysicalMemory } from "@vmbind/mmu";
import { expect } from "vitest";
import { expectNothingLeft, type Law, must, mustBind } from "./law.ts";
import type { Facts, Op, Subject, TestFile } from "./subject.ts";

const PAGES = 24;

const bound = (va: number, bytes: number, object: number): Op => {
  return { kind: "bind", va, bytes, object, offset: 0, access: "rw" };
};

/** Two files with a VM each and one object in both, under another handle in each. */
function shared({ facts, device: make }: Subject) {
  const device = make();
  const bytes = PAGES * facts.pageBytes;
  const [a, b] = [device.open(), device.open()].map((file) => ({
    file,
    vm: must(file, file.createVm()),
  })) as [{ file: TestFile; vm: number }, { file: TestFile; vm: number }];
  must(a.file, a.file.createObject(facts.pageBytes));
  const mine = must(a.file, a.file.createObject(bytes));
  const dmaBuf = a.file.node.exportBo(mine);
  const theirs = b.file.node.importBo(dmaBuf);
  expect([a.file.node.importBo(dmaBuf), b.file.node.importBo(dmaBuf)]).toEqual([mine, theirs]);
  expect(theirs).not.toBe(mine);
  dmaBuf.put();
  mustBind(a.file, a.vm, [bound(facts.seam, bytes, mine)]);
  mustBind(b.file, b.vm, [bound(facts.elsewhere, bytes, theirs)]);
  device.check();
  return { device, bytes, a: { ...a, object: mine }, b: { ...b, object: theirs } };
}

/** The first word of each page of an object, by where it says that its bytes are. */
function words(memory: PhysicalMemory, object: GemObject, { pageBytes }: Facts, offset: number): number[] {
  const found: number[] = [];
  let at = offset;
  for (const { pa, bytes } of object.segments(offset, object.size - offset)) {
    for (let i = (pageBytes - (at % pageBytes)) % pageBytes; i < bytes; i += pageBytes) {
      const word = new Uint8Array(4);
      memory.read(pa + i, word);
      found.push(new DataView(word.buffer).getUint32(0, true));
    }
    at += bytes;
  }
  expect(at).toBe(object.size);
  return found;
}

export const SHARING: readonly Law[] = [
  {
    title: "an object in two files is one object, whoever closes first",
    hold(subject) {
      const { seam, elsewhere } = subject.facts;
      for (const order of [0, 1]) {
        const { device, a, b } = shared(subject);
        a.file
          .vm(a.vm)
          .space()
          .store8(seam + 5, 77);
        expect(
          b.file
            .vm(b.vm)
            .space()
            .load8(elsewhere + 5),
        ).toBe(77);
        const shown = [a, b].map(({ file, vm }) => [...file.vm(vm).mappings()].map(({ bo }) => bo));
        expect(shown).toEqual([[a.object], [b.object]]);
        const [first, last] = order === 0 ? [a, b] : [b, a];
        first.file.close();
        device.check();
        const va = last === a ? seam : elsewhere;
        expect(
          last.file
            .vm(last.vm)
            .space()
            .load8(va + 5),
        ).toBe(77);
        last.file.close();
        expectNothingLeft(device);
      }
    },
  },
  {
    title: "closing a handle in one file leaves the mappings of another alone",
    hold(subject) {
      const { closeUnbinds } = subject.facts;
      const { device, a, b } = shared(subject);
      must(a.file, a.file.closeObject(a.object));
      const mappings = ({ file, vm }: typeof a) => [...file.vm(vm).mappings()].length;
      expect([mappings(a), mappings(b)]).toEqual([closeUnbinds ? 0 : 1, 1]);
      device.check();
      for (const { file } of [a, b]) file.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "a dma-buf keeps its object, with no handle left",
    hold({ facts, device: make }) {
      const device = make();
      const file = device.open();
      const vm = must(file, file.createVm());
      const object = must(file, file.createObject(facts.pageBytes));
      mustBind(file, vm, [bound(facts.seam, facts.pageBytes, object)]);
      file.vm(vm).space().store8(facts.seam, 9);
      const dmaBuf = file.node.exportBo(object);
      file.close();
      const next = device.open();
      const again = next.node.importBo(dmaBuf);
      dmaBuf.put();
      const nextVm = must(next, next.createVm());
      mustBind(next, nextVm, [bound(facts.seam, facts.pageBytes, again)]);
      expect(next.vm(nextVm).space().load8(facts.seam)).toBe(9);
      device.check();
      next.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "an object that belongs to one VM is not exported",
    when: ({ facts }) => facts.privateObjects,
    hold({ facts, device: make }) {
      const device = make();
      const file = device.open();
      const object = must(file, file.createObject(facts.pageBytes, { vm: must(file, file.createVm()) }));
      const errno = facts.privateExport;
      expect(() => file.node.exportBo(object)).toThrow(expect.objectContaining({ errno }));
      expect(file.node.bo(object)?.exported).toBeNull();
      file.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "an object knows where its bytes are, in order, whatever it is made of",
    hold({ facts, device: make }) {
      const { objectKinds, pageBytes, seam } = facts;
      const bytes = 528 * pageBytes;
      for (const { name: kind } of objectKinds) {
        const device = make();
        const file = device.open();
        const vm = must(file, file.createVm());
        const object = must(file, file.createObject(bytes, { kind }));
        mustBind(file, vm, [bound(seam, bytes, object)]);
        const pages = Array.from({ length: bytes / pageBytes }, (_, page) => page);
        for (const page of pages)
          file
            .vm(vm)
            .space()
            .store32(seam + page * pageBytes, page);
        const gem = file.node.bo(object) as GemObject;
        // Some objects are larger than was asked for.
        for (let page = pages.length; page < gem.size / pageBytes; page++) pages.push(0);
        expect(words(device.memory, gem, facts, 0)).toEqual(pages);
        expect(words(device.memory, gem, facts, 3 * pageBytes + 4)).toEqual(pages.slice(4));
        must(file, file.evict?.(object) ?? 0);
        expect(words(device.memory, gem, facts, 0)).toEqual(pages);
        device.check();
        file.close();
        expectNothingLeft(device);
      }
    },
  },
  {
    title: "an offset for mmap leads back to its object, in files that have it and in no other",
    hold({ facts, device: make }) {
      const device = make();
      const [file, other] = [device.open(), device.open()];
      const sizes = [facts.pageBytes, 6 * 2 ** 30, facts.pageBytes, 2 ** 30];
      const handles = sizes.map((bytes) => must(file, file.createObject(bytes)));
      const offsets = handles.map((handle) => must(file, file.mmapOffset(handle)));
      expect(handles.map((handle) => file.mmapOffset(handle))).toEqual(offsets);
      sizes.forEach((bytes, i) => {
        const object = file.node.bo(handles[i] as number);
        for (const offset of [0, bytes - 1]) {
          const at = (offsets[i] as number) + offset;
          expect(file.node.objectAt(at)).toEqual({ object, offset });
          expect(other.node.objectAt(at)).toBeUndefined();
        }
      });
      const [first] = offsets as [number];
      const dmaBuf = file.node.exportBo(handles[0] as number);
      other.node.importBo(dmaBuf);
      dmaBuf.put();
      expect(other.node.objectAt(first + 3)?.offset).toBe(3);
      must(file, file.closeObject(handles[0] as number));
      expect(file.node.objectAt(first)).toBeUndefined();
      for (const one of [file, other]) one.close();
      expectNothingLeft(device);
    },
  },
  {
    title: "a syncobj of one file means nothing in another",
    hold({ device: make }) {
      const device = make();
      const [file, other] = [device.open(), device.open()];
      const handles = [1, 2, 3].map(() => file.node.syncobjs.create());
      const known = ({ node }: TestFile) => handles.map((handle) => node.syncobjs.get(handle) !== undefined);
      expect(known(file)).toEqual([true, true, true]);
      // Opening a file may have made some.
      const own = other.node.syncobjs.create();
      expect(known(other)).toEqual(handles.map((handle) => handle <= own));
      expect(other.node.syncobjs.get(own)).not.toBe(file.node.syncobjs.get(own));
      file.close();
      other.close();
      expectNothingLeft(device);
    },
  },
];
