import { EINVAL, ENOMEM, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import { IOCTL_VM_BIND, MAP_NOEXEC, MAP_SPARSE, OP_SYNC_ONLY, VM_BIND, VM_BIND_OP } from "../src/index.ts";
import { bind, createBo, fixture, type TestOp } from "./support.ts";

const VA = 0x40000000;
const good = (i: number): TestOp => ({ flags: MAP_NOEXEC | MAP_SPARSE, va: VA + 0x200000 * i, size: 0x1000 });

describe("a reason names the operation by its index", () => {
  const refused: [string, TestOp, RegExp][] = [
    ["alignment", { ...good(5), va: VA + 1 }, /^ops\[5\]\.va: 0x40000001 is not/],
    ["the handle", { flags: MAP_NOEXEC, boHandle: 9, va: VA, size: 0x1000 }, /^ops\[5\]\.bo_handle: 9/],
    ["the type", { ...good(5), flags: 0x70000000 }, /^ops\[5\]\.flags: type/],
    ["syncs", { flags: OP_SYNC_ONLY, syncs: [{}, { flags: 0x300 }] }, /^ops\[5\]\.syncs\[[01]\]\./],
  ];
  for (const [what, op, reason] of refused) {
    for (const async of [false, true]) {
      if (!async && op.syncs) continue;
      it(`${what}, ${async ? "asynchronous" : "synchronous"}`, () => {
        const ops = [0, 1, 2, 3, 4].map(good);
        expect(bind(fixture(), [...ops, op, good(6)], { async }).reason).toMatch(reason);
      });
    }
  }

  it("and by its member, with a value that no double holds, too", () => {
    const { file } = fixture();
    const { fields, size } = VM_BIND_OP;
    for (const [name, at] of [
      ["va", fields.va.offset],
      ["size", fields.size.offset],
      ["bo_offset", fields.boOffset.offset],
    ] as const) {
      const op = VM_BIND_OP.encode({ flags: MAP_NOEXEC, boHandle: 1, va: VA, size: 0x1000 });
      new DataView(op.buffer).setBigUint64(at, 2n ** 60n + 1n, true);
      const user = new UserMemory();
      user.place(0x5000, op);
      const arg = VM_BIND.encode({ vmId: 1, ops: { stride: size, count: 1, array: 0x5000 } });
      expect(file.ioctl(IOCTL_VM_BIND, arg, user)).toBe(-EINVAL);
      expect(file.lastError?.reason).toBe(`ops[0].${name}: 0x1000000000000001 is not a multiple of 4096`);
    }
  });

  it("whichever allocation fails, in either mode", () => {
    for (const async of [false, true]) {
      for (const kind of ["gpuva", "vm_bo", "page-table", "bo-pages"]) {
        let armed = false;
        const fx = fixture({ allocFault: (what) => armed && what === kind });
        const bo = createBo(fx.file, 0x1000);
        armed = true;
        const map = { flags: MAP_NOEXEC, boHandle: bo, va: VA, size: 0x1000 };
        const sync = { flags: OP_SYNC_ONLY, size: 0 };
        const ops = async ? [map] : [sync, map];
        const got = bind(fx, ops, { async });
        expect(got).toMatchObject({ ret: -ENOMEM });
        expect(got.reason).toMatch(new RegExp(`^ops\\[${ops.length - 1}\\].*\\(injected\\)$`));
      }
    }
  });

  it("where the page table stops it", () => {
    const fx = fixture();
    const there = good(0);
    fx.vm.pageTable.io.reserved = 3;
    fx.vm.pageTable.io.mapPages(VA, 0x100000000, 0x1000, 1, 3);
    expect(bind(fx, [good(1), there]).reason).toMatch(/^ops\[1\]: page table: at 0x40000000/);
  });
});
