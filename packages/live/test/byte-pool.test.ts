/** Byte arrays out of a pool: none has a byte of another, whatever their lengths, and all can be seen as words. */
import { expect, it } from "vitest";
import { copyBytes, takeBytes } from "../src/byte-pool.ts";

it("gives each its own bytes, over the end of a pool and back", () => {
  const lengths = [0, 1, 7, 8, 9, 136, 5120, 0x2000, 0x2001, 0x1_0000, 0x2_0000];
  const all = Array.from({ length: 400 }, (_, i) => {
    const bytes = takeBytes(lengths[(i * 7) % lengths.length] as number);
    bytes.fill(i);
    return bytes;
  });
  for (const [i, bytes] of all.entries()) {
    expect(bytes.length).toBe(lengths[(i * 7) % lengths.length]);
    expect(bytes.every((byte) => byte === (i & 0xff))).toBe(true);
    expect(bytes.byteOffset % 8).toBe(0);
  }
});

it("copies", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const copy = copyBytes(bytes);
  bytes[0] = 9;
  expect([...copy]).toEqual([1, 2, 3]);
});
