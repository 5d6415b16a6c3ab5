/** The lens: one golden line for each kind of operation. */
import { CallBytes, type TraceHeader, type TraceIoctl } from "@vmbind/trace";
import { describe, expect, it } from "vitest";
import {
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  BIND_WRITE,
  GEM_BIND_OP,
  IOCTL_VM_BIND,
  VM_BIND,
} from "../src/index.ts";
import { lens } from "../src/trace.ts";

const header: TraceHeader = {
  ...{ format: "drm-ioctl-trace", version: 1, driver: "asahi", uapi: "" },
  ...{ umd: "", device: "", workload: "" },
};

function line(flags: number): string[] {
  const op = GEM_BIND_OP.encode({ flags, handle: 3, addr: 0x10000, range: 0x8000, offset: 0x4000 });
  const arg = VM_BIND.encode({ vmId: 1, numBinds: 1, stride: op.length });
  const call: TraceIoctl = {
    ...{ kind: "ioctl", line: 2, seq: 0, ioctl: "ASAHI_VM_BIND", file: 0, ret: 0 },
    ...{ request: IOCTL_VM_BIND, argIn: arg, argOut: arg },
    arrays: [{ field: "userptr", addr: 0, count: 1, stride: op.length, data: op }],
  };
  const action = lens.decoder(header).decode(new CallBytes(call));
  return action.kind === "bind" ? action.ops.flatMap((o) => [o.heading, o.effect, lens.describe(o)]) : [];
}

describe("operations in words", () => {
  const where = "[0x10000, 0x18000)";
  it.each<[number, string[]]>([
    [BIND_READ | BIND_WRITE, ["BIND R|W", "map", `BIND R|W ${where} -> BO 3 + 0x4000`]],
    [BIND_READ, ["BIND R", "map", `BIND R ${where} -> BO 3 + 0x4000`]],
    [0, ["BIND no access", "map", `BIND no access ${where} -> BO 3 + 0x4000`]],
    [
      BIND_READ | BIND_SINGLE_PAGE,
      ["BIND SINGLE_PAGE R", "map", `BIND SINGLE_PAGE R ${where} -> BO 3 + 0x4000`],
    ],
    [BIND_UNBIND, ["UNBIND", "unmap", `UNBIND ${where}`]],
  ])("flags %i", (flags, expected) => expect(line(flags)).toEqual(expected));
});
