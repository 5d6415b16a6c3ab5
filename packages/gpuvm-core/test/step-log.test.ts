import { mismatch } from "@vmbind/drm/conformance";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  areMappings,
  areSteps,
  type LoggedMapping,
  type LoggedStep,
  mappingInWords,
  stepInWords,
} from "../src/conformance/step-log.ts";

// Few values each, so that two of them are often alike.
const number = fc.constantFrom(0, 0x1000, 0x1_0000_0000, 0x1_0000_1000, 2 ** 63, 2 ** 64 - 2 ** 12);
const mapping: fc.Arbitrary<LoggedMapping> = fc.record({
  addr: number,
  range: number,
  gem: fc.constantFrom(null, 0, 1),
  offset: number,
  flags: fc.nat(7),
  gemRange: number,
  phase: fc.constantFrom(0, 0x1000),
  phases: fc.boolean(),
});
const step: fc.Arbitrary<LoggedStep> = fc.record({
  step: fc.constantFrom("map", "unmap", "remap"),
  mapping,
  keep: fc.boolean(),
  prev: fc.option(mapping),
  next: fc.option(mapping),
});
/** The same but for one member, or all the same. */
const changed = fc.tuple(step, step, fc.nat(20)).map(([one, other, which]) => {
  const member = (["addr", "range", "gem", "offset", "flags", "gemRange", "phase", "phases"] as const)[which];
  if (member !== undefined)
    return [one, { ...one, mapping: { ...one.mapping, [member]: other.mapping[member] } }];
  const outer = (["step", "keep", "prev", "next"] as const)[which - 8];
  return [one, outer === undefined ? one : { ...one, [outer]: other[outer] }];
}) as fc.Arbitrary<[LoggedStep, LoggedStep]>;

describe("steps that are held against a vector", () => {
  it("are those that the words are alike of", () => {
    fc.assert(
      fc.property(fc.array(changed, { maxLength: 3 }), fc.boolean(), (pairs, fewer) => {
        const expected = pairs.map(([one]) => stepInWords(one));
        const got = pairs.slice(fewer ? 1 : 0).map(([, other]) => other);
        const alike = mismatch("steps", expected, got.map(stepInWords)) === null;
        expect(areSteps(expected, got)).toBe(alike);
        const mappings = pairs.map(([one]) => mappingInWords(one.mapping));
        const found = got.map((one) => one.mapping);
        expect(areMappings(mappings, found)).toBe(
          mismatch("final", mappings, found.map(mappingInWords)) === null,
        );
      }),
      { numRuns: 1000 },
    );
  });

  it("are not taken for what is written in another way", () => {
    const one: LoggedMapping = {
      addr: 0x1000,
      range: 0x1000,
      gem: 0,
      offset: 0,
      flags: 0,
      gemRange: 0,
      phase: 0,
      phases: false,
    };
    const words = mappingInWords(one);
    expect(areMappings([words], [one])).toBe(true);
    expect(areMappings([{ ...words, va: "0x01000" }], [one])).toBe(false);
    expect(areMappings([{ ...words, offset: "0x00" }], [one])).toBe(false);
  });
});
