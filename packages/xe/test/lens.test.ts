/** The lens: one golden line for each kind of operation, unknown ones included, and what it does for ids that are left out. */
import { CallBytes, type TraceHeader, type TraceIoctl } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import {
  EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_MADVISE,
  IOCTL_VM_BIND,
  IOCTL_VM_GET_PROPERTY,
  IOCTL_VM_QUERY_MEM_RANGE_ATTRS,
  MADVISE,
  type Madvise,
  VM_BIND,
  VM_BIND_FLAG_NULL,
  VM_BIND_FLAG_READONLY,
  VM_BIND_OP,
  VM_BIND_OP_MAP,
  VM_BIND_OP_MAP_USERPTR,
  VM_BIND_OP_PREFETCH,
  VM_BIND_OP_UNMAP,
  VM_BIND_OP_UNMAP_ALL,
  VM_GET_PROPERTY,
  VM_QUERY_MEM_RANGE_ATTR,
  type VmBindOp,
  XeDevice,
} from "../src/index.ts";
import { lens } from "../src/trace.ts";

const header: TraceHeader = {
  ...{ format: "drm-ioctl-trace", version: 1, driver: "xe", uapi: "" },
  ...{ umd: "", device: "", workload: "" },
};

function record(request: number, arg: Uint8Array, ops?: Uint8Array): CallBytes {
  const stride = VM_BIND_OP.size;
  const array = { field: "vector_of_binds", addr: 0, stride };
  const call: TraceIoctl = {
    ...{ kind: "ioctl", line: 2, seq: 0, ioctl: "", file: 0, ret: 0 },
    ...{ request, argIn: arg, argOut: arg },
    arrays: ops ? [{ ...array, count: ops.length / stride, data: ops }] : [],
  };
  return new CallBytes(call);
}

function lines(call: CallBytes): string[][] {
  const action = lens.decoder(header).decode(call);
  return action.kind === "bind" ? action.ops.map((o) => [o.heading, o.effect, lens.describe(o)]) : [];
}

function opOf(op: number, flags: number): VmBindOp {
  const where = { addr: 0x1000, range: 0x2000, obj: 3, objOffset: 0x4000, patIndex: 2 };
  return VM_BIND_OP.read(new DataView(VM_BIND_OP.encode({ op, flags, ...where }).buffer));
}

describe("operations in words", () => {
  const where = "[0x1000, 0x3000)";
  it.each<[number, number, string[]]>([
    [VM_BIND_OP_MAP, 0, ["MAP", "map", `MAP ${where} -> BO 3 + 0x4000, pat 2`]],
    [VM_BIND_OP_MAP, VM_BIND_FLAG_READONLY, ["MAP", "map", `MAP READONLY ${where} -> BO 3 + 0x4000, pat 2`]],
    [VM_BIND_OP_MAP, VM_BIND_FLAG_NULL, ["NULL", "map", `NULL ${where}`]],
    [VM_BIND_OP_MAP_USERPTR, 0, ["MAP_USERPTR", "map", `MAP_USERPTR ${where} -> user 0x4000`]],
    [VM_BIND_OP_UNMAP, 0, ["UNMAP", "unmap", `UNMAP ${where}`]],
    [VM_BIND_OP_UNMAP_ALL, 0, ["UNMAP_ALL", "unmap-object", "UNMAP_ALL of BO 3"]],
    [VM_BIND_OP_PREFETCH, 0, ["PREFETCH", "none", `PREFETCH ${where}`]],
    [99, 0, ["op 99", "none", `op 99 ${where}`]],
  ])("op %i, flags %i, inline and in an array", (op, flags, expected) => {
    const one = VM_BIND.encode({ vmId: 1, numBinds: 1, bind: opOf(op, flags) });
    expect(lines(record(IOCTL_VM_BIND, one))).toEqual([expected]);
    const bytes = VM_BIND_OP.encode(opOf(op, flags));
    const two = new Uint8Array([...bytes, ...bytes]);
    expect(lines(record(IOCTL_VM_BIND, VM_BIND.encode({ vmId: 1, numBinds: 2 }), two))).toEqual([
      expected,
      expected,
    ]);
  });

  it("have the index of their caching policy beside them", () => {
    const call = record(IOCTL_VM_BIND, VM_BIND.encode({ numBinds: 1, bind: opOf(VM_BIND_OP_UNMAP, 0) }));
    const action = lens.decoder(header).decode(call);
    expect(action.kind === "bind" && action.ops.map((op) => lens.details?.(op))).toEqual([{ pat_index: 2 }]);
  });
});

describe("what is said of a VM in words", () => {
  const text = (request: number, arg: Uint8Array): string => {
    const action = lens.decoder(header).decode(record(request, arg));
    return action.kind === "other" ? action.text : action.kind;
  };
  const where = { vmId: 2, start: 0x1000, range: 0x2000 };

  it.each<[Partial<Madvise>, string]>([
    [{ type: 0 }, "preferred location the device"],
    [{ type: 0, val: 0xffff_ffff }, "preferred location system memory"],
    [{ type: 0, val: 5 }, "preferred location fd 5"],
    [{ type: 1, val: 3 }, "atomics of the CPU"],
    [{ type: 1, val: 9 }, "atomics of 9"],
    [{ type: 2, val: 7 }, "pat 7"],
    [{ type: 3 }, "needed"],
    [{ type: 3, val: 1 }, "not needed"],
    [{ type: 9 }, "attribute 9"],
  ])("advice %o", (fields, said) => {
    const arg = MADVISE.encode({ ...where, ...fields });
    expect(text(IOCTL_MADVISE, arg)).toBe(`VM 2, [0x1000, 0x3000): ${said}`);
  });

  it("questions", () => {
    const attributes = VM_QUERY_MEM_RANGE_ATTR.encode({ vmId: 2, numMemRanges: 3 });
    expect(text(IOCTL_VM_QUERY_MEM_RANGE_ATTRS, attributes)).toBe("VM 2, 3 mappings");
    const property = VM_GET_PROPERTY.encode({ vmId: 2, size: 48 });
    expect(text(IOCTL_VM_GET_PROPERTY, property)).toBe("VM 2, 1 fault");
  });
});

describe("queues that recordings leave out", () => {
  const created = (execQueueId: number) =>
    record(IOCTL_EXEC_QUEUE_CREATE, EXEC_QUEUE_CREATE.encode({ execQueueId }));

  it("take their ids, and count nothing", () => {
    const device = new XeDevice();
    const file = device.open();
    const before = { ...device.counters };
    lens.beforeCall?.(file, created(4));
    expect([1, 2, 3, 4].map((id) => file.execQueue(id) !== undefined)).toEqual([true, true, true, false]);
    expect({ ...device.counters }).toEqual(before);
  });
});
