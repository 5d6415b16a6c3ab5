import type { Action, BindOp } from "@vmbind/trace";
import { expect, test } from "vitest";
import { FailureList } from "../src/engine/trace/failures.ts";

const op = (addr: number, range: number, handle: number): BindOp => ({
  heading: "MAP",
  effect: "map",
  addr,
  range,
  handle,
  offset: 0,
  flags: 0,
});
const bind = (vm: number, ...ops: BindOp[]): Action => ({ kind: "bind", text: "", vm, ops });
const made = (handle: number): Action => ({ kind: "bo-create", text: "", handle, size: 4096 });

function causes(list: FailureList): (number | null)[] {
  return list.failures.map(({ cause }) => cause);
}

function refuse(
  list: FailureList,
  seq: number,
  ioctl: string,
  action: Action,
  reason = `rule ${ioctl}`,
): void {
  list.refused({ seq, file: 0, ioctl, action, ret: -22, recorded: 0, reason });
}

test("a bind of an object that was not made follows, one of another object does not", () => {
  const list = new FailureList();
  refuse(list, 3, "CREATE", made(7));
  refuse(list, 5, "BIND", bind(1, op(0, 4096, 7)), "handle");
  refuse(list, 9, "BIND", bind(1, op(8192, 4096, 8)), "flags");
  expect(causes(list)).toEqual([null, 3, null]);
  list.succeeded(0, made(7));
  refuse(list, 11, "BIND", bind(1, op(0x10000, 4096, 7)), "range");
  expect(causes(list).at(-1)).toBe(null);
});

test("everything in a VM that was not made follows", () => {
  const list = new FailureList();
  refuse(list, 0, "VM", { kind: "vm-create", text: "", vm: 2 });
  refuse(list, 1, "BIND", bind(2, op(0, 4096, 1)), "no VM 2");
  refuse(list, 2, "DESTROY", { kind: "vm-destroy", text: "", vm: 2 }, "no VM");
  expect(causes(list)).toEqual([null, 0, 0]);
});

test("a bind that touches what a refused bind was to map follows, elsewhere it is a cause of its own", () => {
  const list = new FailureList();
  refuse(list, 1, "BIND", bind(1, op(0x1000, 0x1000, 1)), "a");
  refuse(list, 2, "BIND", bind(1, op(0x1800, 0x1000, 1)), "b");
  refuse(list, 3, "BIND", bind(1, op(0x2000, 0x1000, 1)), "c");
  refuse(list, 4, "BIND", bind(2, op(0x1000, 0x1000, 1)), "d");
  // #2 was refused because of #1, so what it was to map is missing because of #1, too.
  expect(causes(list)).toEqual([null, 1, 1, null]);
});

test("the same refusal again follows, numbers aside", () => {
  const list = new FailureList();
  const other: Action = { kind: "other", text: "" };
  refuse(list, 1, "X", other, "ops[3].va: 0x1234 is not a multiple of 0x1000");
  refuse(list, 2, "X", other, "ops[0].va: 0x99 is not a multiple of 0x1000");
  refuse(list, 3, "X", other, "ops[0].range: 0 is no range");
  expect(causes(list)).toEqual([null, 1, null]);
  expect(list.failures[1]?.because).toContain("again");
});
