import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packed, unpacked } from "../src/explore/packed.ts";

describe("packed texts", () => {
  it("are one template and the changes of steps", () => {
    const texts = [
      "MAP 0x1000 + 4096 of BO 1",
      "MAP 0x3000 + 4096 of BO 1",
      "MAP 0x5000 + 4096 of BO 2",
      "MAP 0x7000 + 4096 of BO 3",
    ];
    expect(packed(texts)).toEqual({
      templates: [["MAP 0x", " + ", " of BO ", ""]],
      rows: "0,0:400,1:400,2:1;0,0:400,1:-400,2:-1;0,2:1;0",
    });
    expect(unpacked(packed(texts))).toEqual(texts);
  });

  it("come back as they were, whatever they hold", () => {
    const number = fc.oneof(
      fc.nat(),
      fc.maxSafeNat(),
      fc.integer().map((n) => n / 8),
      fc.constantFrom(0, -1, 1e21, 2 ** 51, 2 ** 52 - 1),
    );
    const piece = fc.oneof(
      number.map(String),
      fc.bigInt({ min: 0n, max: 2n ** 64n }).map((n) => `0x${n.toString(16)}`),
      fc.constantFrom(
        "0x",
        "x",
        "0",
        "00",
        "0x0",
        "0x00",
        "-",
        ".",
        ",",
        ";",
        ":",
        "a",
        "MAP ",
        '"',
        " ",
        "1e3",
        "10x",
      ),
      fc.string(),
    );
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), (texts) => {
        expect(unpacked(JSON.parse(JSON.stringify(packed(texts))))).toEqual(texts);
      }),
      { numRuns: 2000 },
    );
  });

  it("take a few bytes each where numbers go on", () => {
    const texts = Array.from(
      { length: 10_000 },
      (_, i) => `{"seq":${i},"addr":${0x100000000 + i * 8192},"text":"0x${(i * 7).toString(16)}"}`,
    );
    expect(JSON.stringify(packed(texts)).length).toBeLessThan(25_000);
  });
});
