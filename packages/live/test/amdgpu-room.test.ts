/** What stands around amdgpu's model: each GPU's own numbers, what an object's users say of it, waits, and what is refused. */
import {
  CTX,
  GEM_CREATE,
  INFO,
  IOCTL_CTX,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_METADATA,
  IOCTL_INFO,
  IOCTL_VM,
  IOCTL_WAIT_CS,
} from "@vmbind/amdgpu";
import { type DrmError, viewOf } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import { expect, test, vi } from "vitest";
import { LiveCall } from "../src/call.ts";
import { ClientProcess } from "../src/client-process.ts";
import { Descriptors } from "../src/descriptors.ts";
import { CHIPS, type Chip } from "../src/drivers/amdgpu/chips.ts";
import { HARDWARE } from "../src/drivers/amdgpu/hardware.ts";
import { hardwareInfo } from "../src/drivers/amdgpu/queries.ts";
import { GEM_METADATA, METADATA_GET, METADATA_SET, VM, WAIT_CS } from "../src/drivers/amdgpu/uapi.ts";
import type { LiveFile } from "../src/hardware.ts";
import { Scheduler } from "../src/scheduler.ts";

const CALL = new LiveCall(new ClientProcess(process.pid, null), {
  descriptors: new Descriptors(),
  scheduler: new Scheduler(() => false),
});

function opened(): { file: LiveFile; ask: (request: number, arg: Uint8Array) => string | number } {
  const device = HARDWARE.create("navi21", {
    backing: new DataPages(),
    pages: { processPage: null },
    note: () => {},
  });
  const file = device.open();
  const ask = (request: number, arg: Uint8Array): string | number => {
    try {
      return file.ioctl(CALL, request, arg) as number;
    } catch (error) {
      return (error as DrmError).reason;
    }
  };
  return { file, ask };
}

test("the device's answer has as many bytes as the program asked for, whatever its memory is read into", (t) => {
  const { file } = opened();
  const written: number[] = [];
  const { memory } = CALL.client;
  const pool = new Uint8Array(4096);
  const view = vi
    .spyOn(memory, "view")
    .mockImplementation((_, length) => new DataView(pool.buffer, 64, length));
  const write = vi.spyOn(memory, "write").mockImplementation((_, bytes) => void written.push(bytes.length));
  t.onTestFinished(() => {
    view.mockRestore();
    write.mockRestore();
  });
  for (const returnSize of [4, 100, 448, 1000]) {
    written.length = 0;
    const arg = INFO.encode({ query: 0x16, returnPointer: 0x1000, returnSize });
    expect(file.ioctl(CALL, IOCTL_INFO, arg)).toBe(0);
    expect(written.every((length) => length <= Math.min(returnSize, 448))).toBe(true);
    expect(written.length).toBeGreaterThan(0);
  }
});

test("an object's metadata comes back, as long as it is, and is refused when it is too long", () => {
  const { ask } = opened();
  ask(IOCTL_GEM_CREATE, GEM_CREATE.encode({ boSize: 4096, domains: 2 }));
  const data = new Uint8Array(256).fill(0xab);
  const set = { handle: 1, op: METADATA_SET, flags: 3, tilingInfo: new Uint8Array(8).fill(7), data };
  const get = (): ReturnType<typeof GEM_METADATA.read> => {
    const arg = GEM_METADATA.encode({ handle: 1, op: METADATA_GET });
    expect(ask(IOCTL_GEM_METADATA, arg)).toBe(0);
    return GEM_METADATA.read(viewOf(arg));
  };
  expect(get().dataSizeBytes).toBe(0);
  expect(ask(IOCTL_GEM_METADATA, GEM_METADATA.encode({ ...set, dataSizeBytes: 260 }))).toBe(
    "gem_metadata.data_size_bytes: 260 is more than 256",
  );
  expect(ask(IOCTL_GEM_METADATA, GEM_METADATA.encode({ ...set, dataSizeBytes: 4 }))).toBe(0);
  const { flags, tilingInfo, dataSizeBytes, data: kept } = get();
  expect([flags, dataSizeBytes, [...tilingInfo]]).toEqual([3, 4, [...set.tilingInfo]]);
  expect([...kept.subarray(0, 6)]).toEqual([0xab, 0xab, 0xab, 0xab, 0, 0]);
  expect(ask(IOCTL_GEM_METADATA, GEM_METADATA.encode({ handle: 9 }))).toBe(
    "gem_metadata.handle: 9 is not a handle of this file",
  );
});

test("a wait is over at once, for a context and a fence that there are", () => {
  const { ask } = opened();
  expect(ask(IOCTL_CTX, CTX.encode({ op: 1 }))).toBe(0);
  const wait = (args: Parameters<typeof WAIT_CS.encode>[0]) => ask(IOCTL_WAIT_CS, WAIT_CS.encode(args));
  expect(wait({ ctxId: 1 })).toBe(0);
  expect(wait({ ctxId: 2 })).toBe("wait_cs.ctx_id: 2 is not a context of this file");
  expect(wait({ ctxId: 1, ipType: 10 })).toBe("wait_cs.ip_type: 10 is no type of engine");
  expect(wait({ ctxId: 1, ipInstance: 1 })).toBe("wait_cs.ip_instance: 1, and there is only 0");
  expect(wait({ ctxId: 1, handle: 1 })).toBe("wait_cs.handle: 1, and the newest is 0");
});

test("a VMID is reserved and given back, without flags", () => {
  const { ask } = opened();
  expect([1, 2].map((op) => ask(IOCTL_VM, VM.encode({ op })))).toEqual([0, 0]);
  expect(ask(IOCTL_VM, VM.encode({ op: 3 }))).toBe("vm.op: 3 is none");
  expect(ask(IOCTL_VM, VM.encode({ op: 1, flags: 1 }))).toBe("vm.flags: must be 0");
});

test("engines that the uAPI does not have are refused, those that the GPU does not have are none", () => {
  const { ask } = opened();
  const info = (argument0: number, argument1 = 0) =>
    ask(IOCTL_INFO, INFO.encode({ query: 2, argument0, argument1 }));
  expect(info(10)).toBe("info.query_hw_ip.type: 10 is no type of engine");
  expect(info(0, 1)).toBe("info.query_hw_ip.ip_instance: 1, and there is only 0");
  const chip = CHIPS.get("navi48") as Chip;
  const rings = (type: number) =>
    viewOf(hardwareInfo(chip, 2, type, 0, 48) as Uint8Array).getUint32(24, true);
  expect([0, 1, 2, 9].map(rings)).toEqual([1, 0xf, 3, 0]);
});
