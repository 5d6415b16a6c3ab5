/**
 * Steps and mappings of a model as plain numbers, held against those of a vector. Nearly all are alike, and then nothing has to be put
 * into the vectors' words; where one is not, or is written in another way than the generators write it, the words are compared.
 *
 * @module
 */

import { isHexOf } from "@vmbind/drm/conformance";
import { GPUVA_INVALIDATED, GPUVA_REPEAT, GPUVA_SPARSE } from "../steps.ts";

/** A JSON object. */
export type Json = Record<string, unknown>;

/** What a mapping is in a vector. */
export interface LoggedMapping {
  /** First VA in bytes. */
  readonly addr: number;
  /** Bytes. */
  readonly range: number;
  /** Id of its object, null for none. */
  readonly gem: number | null;
  /** Byte offset into the object. */
  readonly offset: number;
  /** Its flags. */
  readonly flags: number;
  /** Bytes of the repeated window. */
  readonly gemRange: number;
  /** Byte of the window that it begins with. */
  readonly phase: number;
  /** The format has a phase for every repeated mapping. */
  readonly phases: boolean;
}

/** A step of an operation. */
export interface LoggedStep {
  /** Which one. */
  readonly step: "map" | "unmap" | "remap";
  /** What is mapped, or goes, or is cut. */
  readonly mapping: LoggedMapping;
  /** Page tables may stay; false for a map step. */
  readonly keep: boolean;
  /** The piece in front that a remap step leaves. */
  readonly prev: LoggedMapping | null;
  /** The piece behind. */
  readonly next: LoggedMapping | null;
}

const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ["invalidated", GPUVA_INVALIDATED],
  ["sparse", GPUVA_SPARSE],
  ["repeat", GPUVA_REPEAT],
];

/** The flag of a name, 0 where none has it. */
export function flagBit(name: string): number {
  return FLAG_NAMES.find(([flag]) => flag === name)?.[1] ?? 0;
}

/** A number as the vectors write it. */
export function u64(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Where a format has no phases none is other than 0; one that is shows as a difference. */
function hasPhase({ flags, phase, phases }: LoggedMapping): boolean {
  return (flags & GPUVA_REPEAT) !== 0 && (phases || phase !== 0);
}

/** A mapping in the vectors' words. */
export function mappingInWords(mapping: LoggedMapping): Json {
  const { addr, range, gem, offset, flags, gemRange, phase } = mapping;
  return {
    va: u64(addr),
    range: u64(range),
    gem,
    offset: u64(offset),
    flags: FLAG_NAMES.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name),
    ...((flags & GPUVA_REPEAT) !== 0 ? { gem_range: u64(gemRange) } : {}),
    ...(hasPhase(mapping) ? { phase: u64(phase) } : {}),
  };
}

/** A step in the vectors' words. */
export function stepInWords({ step, mapping, keep, prev, next }: LoggedStep): Json {
  if (step === "map") return { step, ...mappingInWords(mapping) };
  if (step === "unmap") return { step, ...mappingInWords(mapping), keep };
  return {
    step,
    unmap: mappingInWords(mapping),
    keep,
    prev: prev && mappingInWords(prev),
    next: next && mappingInWords(next),
  };
}

/** True only where the mapping in words is what is expected. */
function isMapping(expected: unknown, mapping: LoggedMapping | null): boolean {
  if (mapping === null || expected === null) return mapping === expected;
  const { va, range, gem, offset, flags, gem_range: gemRange, phase } = expected as Json;
  return (
    gem === mapping.gem &&
    isHexOf(va, mapping.addr) &&
    isHexOf(range, mapping.range) &&
    isHexOf(offset, mapping.offset) &&
    areFlags(flags as readonly string[], mapping.flags) &&
    ((mapping.flags & GPUVA_REPEAT) === 0 ? gemRange === undefined : isHexOf(gemRange, mapping.gemRange)) &&
    (hasPhase(mapping) ? isHexOf(phase, mapping.phase) : phase === undefined)
  );
}

/**
 * @param expected - of a vector that is of its format
 * @param mappings - of the model
 * @returns true only where the mappings in words are what is expected
 */
export function areMappings(expected: readonly unknown[], mappings: readonly LoggedMapping[]): boolean {
  if (expected.length !== mappings.length) return false;
  for (let i = 0; i < mappings.length; i++) {
    if (!isMapping(expected[i], mappings[i] as LoggedMapping)) return false;
  }
  return true;
}

/** As {@link areMappings}, of the steps of an operation. */
export function areSteps(expected: readonly unknown[], steps: readonly LoggedStep[]): boolean {
  if (expected.length !== steps.length) return false;
  for (let i = 0; i < steps.length; i++) {
    if (!isStep(expected[i] as Json, steps[i] as LoggedStep)) return false;
  }
  return true;
}

function isStep(expected: Json, { step, mapping, keep, prev, next }: LoggedStep): boolean {
  if (expected["step"] !== step || (step !== "map" && expected["keep"] !== keep)) return false;
  if (step !== "remap") return isMapping(expected, mapping);
  return (
    isMapping(expected["unmap"], mapping) &&
    isMapping(expected["prev"], prev) &&
    isMapping(expected["next"], next)
  );
}

function areFlags(expected: readonly string[], flags: number): boolean {
  let i = 0;
  for (const [name, bit] of FLAG_NAMES) {
    if ((flags & bit) !== 0 && expected[i++] !== name) return false;
  }
  return i === expected.length;
}
