/** Laws about what is gone: an address space without its VM shows nobody's memory, a closed file answers nothing. */

import { DRM_IOCTL_GEM_CLOSE, DrmError, EBADF } from "@vmbind/drm";
import { DeadAddressSpace } from "@vmbind/mmu";
import { expect } from "vitest";
import { expectNothingLeft, type Law, must, mustBind } from "./law.ts";
import type { Subject, TestFile } from "./subject.ts";

/** A VM with one page that holds a word, seen by the GPU. */
function seen({ facts: { seam, pageBytes } }: Subject, file: TestFile) {
  const vm = must(file, file.createVm());
  const object = must(file, file.createObject(pageBytes));
  mustBind(file, vm, [{ kind: "bind", va: seam, bytes: pageBytes, object, offset: 0, access: "rw" }]);
  const space = file.vm(vm).space();
  space.store32(seam, 0xa1a1a1a1);
  return { vm, object, space };
}

/** The ways in which a VM ends. */
const ENDS: readonly ((file: TestFile, vm: number) => void)[] = [
  (file) => file.close(),
  (file, vm) => void must(file, file.destroyVm(vm)),
];

function closed(run: () => unknown): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(DrmError);
  expect((thrown as DrmError).errno).toBe(EBADF);
  expect((thrown as DrmError).message).toContain("the file is closed");
}

export const LIFETIME: readonly Law[] = [
  {
    title: "the address space of a VM that is gone refuses, also when another VM has its tables",
    hold(subject) {
      const { seam, oneVm } = subject.facts;
      for (const end of ENDS.slice(0, oneVm ? 1 : 2)) {
        const device = subject.device({ tlbEntries: 64 });
        const [file, other] = [device.open(), device.open()];
        const mine = seen(subject, file);
        expect(mine.space.load32(seam)).toBe(0xa1a1a1a1);
        end(file, mine.vm);
        file.quiesce?.();
        const theirs = seen(subject, other);
        expect(mine.space.alive).toBe(false);
        expect(() => mine.space.load32(seam)).toThrow(DeadAddressSpace);
        expect(() => mine.space.store32(seam, 0xdead)).toThrow(DeadAddressSpace);
        expect(() => mine.space.translate(seam)).toThrow(DeadAddressSpace);
        expect(() => mine.space.walk(seam)).toThrow(DeadAddressSpace);
        expect(theirs.space.load32(seam)).toBe(0xa1a1a1a1);
        device.check();
        for (const each of [file, other]) each.close();
        expectNothingLeft(device);
      }
    },
  },
  {
    title: "a closed file answers EBADF to everything, and can be closed again",
    hold(subject) {
      const device = subject.device();
      const [file, exporter] = [device.open(), device.open()];
      seen(subject, file);
      const theirs = seen(subject, exporter);
      const dmaBuf = exporter.node.exportBo(theirs.object);
      file.close();
      file.close();
      const { node } = file;
      expect(node.closed).toBe(true);
      expect([...node.vms(), ...node.bos()]).toEqual([]);
      expect(file.createVm()).toBe(-EBADF);
      expect(file.reason()).toContain("the file is closed");
      expect(file.createObject(subject.facts.pageBytes)).toBe(-EBADF);
      expect(node.ioctl(DRM_IOCTL_GEM_CLOSE, new Uint8Array(8))).toBe(-EBADF);
      closed(() => node.exportBo(1));
      closed(() => node.importBo(dmaBuf));
      expect(exporter.node.closed).toBe(false);
      dmaBuf.put();
      device.check();
      exporter.close();
      expectNothingLeft(device);
    },
  },
];
