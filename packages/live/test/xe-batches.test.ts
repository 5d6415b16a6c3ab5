import { GpuFault } from "@vmbind/mmu";
import * as xe from "@vmbind/xe";
import { describe, expect, it } from "vitest";
import { Batch } from "../src/drivers/xe/batch.ts";
import { BASE, BYTES, bind, context, END, machine, store, waitFor } from "./xe-machine.ts";

const DATA = BASE + 0x8000;
const start = (va: number, secondLevel = false) => [(0x31 << 23) | (secondLevel ? 1 << 22 : 0) | 1, va, 0];

function run(words: readonly number[], more: { readonly registers?: Map<number, number> } = {}) {
  const m = machine();
  m.write(BASE, words);
  const c = Object.assign(context(), more);
  const batch = new Batch(m.memory, BigInt(BASE), c);
  return { ...m, batch, context: c, ended: batch.run() };
}

describe("batches of xe", () => {
  it("stores words, of 32 and of 64 bits", () => {
    const wide = [(0x20 << 23) | (1 << 21) | 3, DATA + 8, 0, 0x1234_5678, 0x9abc_def0];
    const { memory, vm, ended } = run([...store(DATA, 0xc0ffee), ...wide, END]);
    expect(ended).toBe(true);
    expect(memory.load32(DATA)).toBe(0xc0ffee);
    expect(vm.addressSpace.load64(DATA + 8)).toBe(0x9abc_def0_1234_5678n);
  });

  it("waits at a semaphore until the word is there, and does nothing behind it before", () => {
    const { memory, batch, ended } = run([...waitFor(DATA, 7), ...store(DATA + 4, 1), END]);
    expect(ended).toBe(false);
    expect(memory.load32(DATA + 4)).toBe(0);
    memory.store32(DATA, 6);
    expect(batch.run()).toBe(false);
    memory.store32(DATA, 7);
    expect(batch.run()).toBe(true);
    expect(memory.load32(DATA + 4)).toBe(1);
  });

  it("comes back from a second-level batch, and not from a chained one", () => {
    const inner = BASE + 0x1000;
    for (const [secondLevel, expected] of [
      [true, 2],
      [false, 1],
    ] as const) {
      const m = machine();
      m.write(BASE, [...start(inner, secondLevel), ...store(DATA, 2), END]);
      m.write(inner, [...store(DATA, 1), END]);
      expect(new Batch(m.memory, BigInt(BASE), context()).run()).toBe(true);
      expect(m.memory.load32(DATA)).toBe(expected);
    }
  });

  it("ends early where a conditional end's comparison fails", () => {
    // Goes on while the word in memory is above the command's.
    const end = (0x36 << 23) | (0 << 12) | 2;
    const { memory } = run([
      ...store(DATA, 5),
      end,
      4,
      DATA,
      0,
      ...store(DATA + 4, 1),
      end,
      5,
      DATA,
      0,
      ...store(DATA + 4, 2),
    ]);
    expect(memory.load32(DATA + 4)).toBe(1);
  });

  it("sees commands that the batch itself has written in the same line", () => {
    const rest = BASE + 4 * 4;
    const { memory } = run([...store(rest, 0), END, ...store(DATA, 1), END]);
    expect(memory.load32(DATA)).toBe(1);
  });

  it("computes with registers, loads and stores them", () => {
    const gpr = (i: number) => 0x600 + 8 * i;
    const load = (register: number, va: number) => [(0x29 << 23) | 2, register, va, 0];
    const save = (register: number, va: number) => [(0x24 << 23) | 2, register, va, 0];
    const alu = (opcode: number, a: number, b: number) => (opcode << 20) | (a << 10) | b;
    const { memory } = run([
      ...store(DATA, 40),
      ...load(gpr(0), DATA),
      ...[(0x22 << 23) | 1, gpr(1), 2],
      ...[(0x1a << 23) | 3, alu(0x080, 0x20, 0), alu(0x080, 0x21, 1), alu(0x100, 0, 0), alu(0x180, 2, 0x31)],
      ...save(gpr(2), DATA + 4),
      ...[(0x1a << 23) | 3, alu(0x080, 0x20, 1), alu(0x080, 0x21, 0), alu(0x101, 0, 0), alu(0x180, 3, 0x33)],
      ...save(gpr(3), DATA + 8),
      END,
    ]);
    expect(memory.load32(DATA + 4)).toBe(42);
    // 2 - 40 borrows: the carry flag is all ones.
    expect(memory.load32(DATA + 8)).toBe(0xffff_ffff);
  });

  it("adds atomically, of 32 and of 64 bits", () => {
    const add = (va: number, wide: boolean) => [
      (0x2f << 23) | ((wide ? 1 : 0) << 19) | (1 << 18) | (0x07 << 8) | 9,
      va,
      0,
      ...[3, 0, 0, 0, 0, 0, 0, 0],
    ];
    const { memory, vm } = run([
      ...store(DATA, 0xffff_ffff),
      ...store(DATA + 8, 0xffff_ffff),
      ...add(DATA, false),
      ...add(DATA + 8, true),
      END,
    ]);
    expect(memory.load32(DATA)).toBe(2);
    expect(memory.load32(DATA + 4)).toBe(0);
    expect(vm.addressSpace.load64(DATA + 8)).toBe(0x1_0000_0002n);
  });

  it("copies bytes and linear rectangles", () => {
    const bytes = [(2 << 29) | (0x5a << 22) | 8, 4 - 1, 0, 0, 0, DATA, 0, DATA + 0x100, 0, 0];
    // Two rows of two words, from a pitch of 16 to one of 8.
    const rectangle = [
      ...[(2 << 29) | (0x42 << 22) | 8, (3 << 24) | 8, 0, (2 << 16) | 2, DATA + 0x200, 0],
      ...[0, 16, DATA, 0],
    ];
    const source = [1, 2, 3, 4, 5, 6, 7, 8];
    const words = source.flatMap((value, i) => store(DATA + 4 * i, value));
    const { memory, context: c } = run([...words, ...bytes, ...rectangle, END]);
    expect(memory.load32(DATA + 0x100)).toBe(1);
    expect(memory.load32(DATA + 0x104)).toBe(0);
    expect([0, 4, 8, 12].map((at) => memory.load32(DATA + 0x200 + at))).toEqual([1, 2, 5, 6]);
    expect(c.complaints).toEqual([]);
  });

  it("passes over an unknown command by its length, and tells", () => {
    const { memory, context: c } = run([(3 << 29) | 0x1234_0001, 0, 0, ...store(DATA, 1), END]);
    expect(memory.load32(DATA)).toBe(1);
    expect(c.complaints).toHaveLength(1);
  });

  it("takes an address in canonical form", () => {
    const m = machine();
    const high = 2 ** 47 + BASE;
    const obj = m.file.createBo(BYTES, { placement: xe.PLACEMENT_SYSTEM, cpuCaching: xe.GEM_CPU_CACHING_WB });
    expect(bind(m.file, { op: xe.VM_BIND_OP_MAP, addr: high, range: BYTES, obj, patIndex: 2 })).toBe(0);
    m.write(high, [...store(DATA, 9), END]);
    expect(new Batch(m.memory, 0xffff_8000_0000_0000n + BigInt(BASE), context()).run()).toBe(true);
    expect(m.memory.load32(DATA)).toBe(9);
  });

  it("stops at the first access to what is not mapped", () => {
    const m = machine();
    m.write(BASE, [...store(DATA, 1), ...store(BASE + BYTES, 1), ...store(DATA, 2), END]);
    expect(() => new Batch(m.memory, BigInt(BASE), context()).run()).toThrow(GpuFault);
    expect(m.memory.load32(DATA)).toBe(1);
  });

  it("has a recoverable fault served in a fault-mode VM", () => {
    const flags = xe.VM_CREATE_FLAG_LR_MODE | xe.VM_CREATE_FLAG_FAULT_MODE;
    const m = machine(flags);
    expect([...m.vm.mappings()].map(({ present }) => present)).toEqual([false]);
    m.write(BASE, [...store(DATA, 3), END]);
    expect([...m.vm.mappings()].map(({ present }) => present)).toEqual([true]);
    expect(new Batch(m.memory, BigInt(BASE), context()).run()).toBe(true);
    expect(m.memory.load32(DATA)).toBe(3);
  });
});
