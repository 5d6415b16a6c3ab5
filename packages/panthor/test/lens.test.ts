/** The lens: one golden line for each kind of operation, unknown ones included. */
import { CallBytes, type TraceHeader, type TraceIoctl } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import {
  BO_CREATE,
  BO_NO_MMAP,
  IOCTL_BO_CREATE,
  IOCTL_VM_BIND,
  MAP_NOEXEC,
  MAP_READONLY,
  MAP_SPARSE,
  MAP_UNCACHED,
  OP_SYNC_ONLY,
  OP_UNMAP,
  VM_BIND,
  VM_BIND_ASYNC,
  VM_BIND_OP_REPEAT,
  type VmBindOpRepeat,
} from "../src/index.ts";
import { lens } from "../src/trace.ts";

function header(facts: Readonly<Record<string, unknown>> = {}): TraceHeader {
  const common = { format: "drm-ioctl-trace", version: 1, driver: "panthor", uapi: "", umd: "" } as const;
  return { ...common, device: "", workload: "", driver_version: "1.9", ...facts };
}

const stride = VM_BIND_OP_REPEAT.size;
/** One operation, as the argument of a call says where it is. */
const ONE_OP = { stride, count: 1, array: 0x1000 };

function record(request: number, arg: Uint8Array, ops?: Uint8Array): CallBytes {
  const arrays = ops
    ? [{ field: "ops", addr: ONE_OP.array, count: ops.length / stride, stride, data: ops }]
    : [];
  const call: TraceIoctl = {
    ...{ kind: "ioctl", line: 2, seq: 0, ioctl: "", file: 0, ret: 0 },
    ...{ request, argIn: arg, argOut: arg, arrays },
  };
  return new CallBytes(call);
}

/** An operation in words, as a decoder for `facts` reads it after a 2 MiB object that cannot be mapped got handle 9. */
function line(op: Partial<VmBindOpRepeat>, facts?: Readonly<Record<string, unknown>>): string[] {
  const decoder = lens.decoder(header(facts));
  decoder.decode(record(IOCTL_BO_CREATE, BO_CREATE.encode({ size: 0x200000, flags: BO_NO_MMAP, handle: 9 })));
  const ops = VM_BIND_OP_REPEAT.encode({ va: 0x200000, size: 0x3000, ...op });
  const action = decoder.decode(record(IOCTL_VM_BIND, VM_BIND.encode({ vmId: 1, ops: ONE_OP }), ops));
  return action.kind === "bind" ? action.ops.flatMap((o) => [o.heading, o.effect, lens.describe(o)]) : [];
}

describe("operations in words", () => {
  const where = "[0x200000, 0x203000)";
  const memory = { boHandle: 3, boOffset: 0x1000 };
  const repeats = { repeat_proposal: true };
  const repeat = { ...memory, boRepeatRange: 0x1000 };

  it.each<[Partial<VmBindOpRepeat>, Readonly<Record<string, unknown>> | undefined, string[]]>([
    [memory, {}, ["MAP memory", "map", `MAP memory ${where} -> BO 3 + 0x1000`]],
    [
      { ...memory, flags: MAP_READONLY | MAP_NOEXEC | MAP_UNCACHED },
      {},
      ["MAP memory", "map", `MAP memory READONLY NOEXEC UNCACHED ${where} -> BO 3 + 0x1000`],
    ],
    [
      { boHandle: 9, flags: MAP_NOEXEC },
      { driver_version: "1.8" },
      ["MAP blackhole", "map", `MAP blackhole NOEXEC ${where} -> BO 9 + 0x0`],
    ],
    // With MAP_SPARSE in the kernel there is no blackhole.
    [{ boHandle: 9 }, {}, ["MAP memory", "map", `MAP memory ${where} -> BO 9 + 0x0`]],
    [{ flags: MAP_SPARSE | MAP_NOEXEC }, {}, ["MAP SPARSE", "map", `MAP SPARSE NOEXEC ${where}`]],
    [repeat, repeats, ["MAP REPEAT", "map", `MAP REPEAT ${where} -> 4 KiB of BO 3 + 0x1000, repeated`]],
    // The window is a later header's: without the proposal nobody looks at it.
    [repeat, {}, ["MAP memory", "map", `MAP memory ${where} -> BO 3 + 0x1000`]],
    [{ flags: OP_UNMAP }, {}, ["UNMAP", "unmap", `UNMAP ${where}`]],
    [
      { flags: OP_SYNC_ONLY, syncs: { stride: 16, count: 2, array: 0 } },
      {},
      ["SYNC_ONLY", "none", "SYNC_ONLY, 2 syncs"],
    ],
    [{ flags: 0xf0000000 }, {}, ["unknown", "none", `type 0xf0000000 ${where}`]],
  ])("%#", (op, facts, expected) => expect(line(op, facts)).toEqual(expected));

  it("a call says whether it waits", () => {
    const ops = VM_BIND_OP_REPEAT.encode({});
    const text = (flags: number) =>
      lens
        .decoder(header())
        .decode(record(IOCTL_VM_BIND, VM_BIND.encode({ vmId: 7, flags, ops: ONE_OP }), ops)).text;
    expect([text(0), text(VM_BIND_ASYNC)]).toEqual(["VM 7, sync, 1 op", "VM 7, async, 1 op"]);
  });
});
