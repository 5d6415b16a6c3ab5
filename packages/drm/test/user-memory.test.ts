import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserMemory } from "../src/index.ts";

describe("the memory of a caller", () => {
  it("is what begins at an address, else what was placed last there, however much there is", () => {
    const placement = fc.record({ addr: fc.nat(90), length: fc.integer({ min: 1, max: 12 }) });
    const asked = fc.record({ addr: fc.nat(100), length: fc.integer({ min: 1, max: 8 }) });
    fc.assert(
      fc.property(fc.array(placement, { maxLength: 40 }), fc.array(asked), (placements, questions) => {
        const user = new UserMemory();
        let plain: { addr: number; bytes: Uint8Array }[] = [];
        for (const [i, { addr, length }] of placements.entries()) {
          const bytes = new Uint8Array(length).fill(i);
          user.place(addr, bytes);
          plain = [...plain.filter((one) => one.addr !== addr), { addr, bytes }];
        }
        for (const { addr, length } of questions) {
          const holding = plain.filter(
            (one) => one.addr <= addr && addr + length <= one.addr + one.bytes.length,
          );
          const expected = holding.find((one) => one.addr === addr) ?? holding.at(-1);
          if (expected === undefined) {
            expect(() => user.view(addr, length)).toThrow("are not mapped");
            continue;
          }
          const view = user.view(addr, length);
          expect([view.buffer, view.byteOffset, view.byteLength]).toEqual([
            expected.bytes.buffer,
            addr - expected.addr,
            length,
          ]);
        }
        user.clear();
        expect(() => user.view(placements[0]?.addr ?? 0, 1)).toThrow("are not mapped");
      }),
    );
  });
});
