/** NVIF: what a Vulkan driver learns of a GPU through one ioctl of any length, and what is refused. */
import { expect, test } from "vitest";
import { type NvifGpu, nvif } from "../src/drivers/nouveau/nvif.ts";

const GPU: NvifGpu = {
  chipset: 0x172,
  family: 0x0d,
  chip: "GA102",
  name: "GeForce RTX 3080",
  vramBytes: 10 * 2 ** 30,
  classes: [0x902d, 0xc797, 0xc7b5],
};

function call(type: number, bytes: number): { arg: Uint8Array; view: DataView } {
  const arg = new Uint8Array(bytes);
  arg[1] = type;
  return { arg, view: new DataView(arg.buffer) };
}

test("the device tells chipset, memory and names", () => {
  const { arg, view } = call(4, 32 + 104);
  nvif(GPU, arg);
  expect(view.getUint16(32 + 2, true)).toBe(0x172);
  expect(view.getBigUint64(32 + 8, true)).toBe(10n * 2n ** 30n);
  expect(new TextDecoder().decode(arg.subarray(32 + 24, 32 + 29))).toBe("GA102");
  expect(arg[32 + 24 + 5]).toBe(0);
});

test("a channel lists as many classes as there is room for, and how many there are", () => {
  const { arg, view } = call(1, 32 + 2 * 8);
  arg[25] = 2;
  nvif(GPU, arg);
  expect(arg[25]).toBe(3);
  expect([view.getInt32(32, true), view.getInt32(40, true)]).toEqual([0x902d, 0xc797]);
});

test("a caller that says it has more room than it has is given what fits", () => {
  const { arg } = call(1, 32 + 8);
  arg[25] = 255;
  nvif(GPU, arg);
  expect(arg[25]).toBe(3);
});

test("objects come and go without a word", () => {
  for (const type of [0, 2, 3]) {
    const { arg } = call(type, 56);
    const before = arg.slice();
    nvif(GPU, arg);
    expect(arg).toEqual(before);
  }
});

test.each([
  ["nothing", new Uint8Array(0)],
  ["half a header", new Uint8Array(23)],
  ["a method without data", call(4, 24).arg],
  ["no room for the answer", call(4, 32).arg],
  ["a type that is not modelled", call(7, 64).arg],
])("%s is EINVAL", (_, arg) => {
  expect(() => nvif(GPU, arg)).toThrow(/EINVAL/);
});
