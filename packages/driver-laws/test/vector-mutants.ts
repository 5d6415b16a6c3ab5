/**
 * Vectors with something wrong in them: a check that passes one looks away there.
 *
 * Of every kind of member that a format has (the path without its indices) some instances are drawn from a seed, and each
 * is deleted, changed where it is an expectation, or given a neighbour that the format does not know. A case that still passes is
 * reported by its path. Any error but a refusal is a defect of the check.
 *
 * One of each kind unless told; a thousand of each:
 *
 *     VMBIND_MUTANTS=1000 node_modules/.bin/vitest run packages/driver-laws/test/vector-mutants.test.ts
 */

import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { DrmError } from "@vmbind/drm";
import type { VectorCheck, VectorHeader } from "@vmbind/gpuvm-core/conformance";
import { expect, test } from "vitest";
import { Random } from "../../../test/random.ts";

/** Places that one is drawn from: that of the shortest case is taken. */
const DRAWN = 12;
const PER_KIND = Number(process.env["VMBIND_MUTANTS"] ?? 1);
/** All cases are drawn from, and the figures printed. */
const LONG = PER_KIND > 1;
/** Cases of a file that a short run draws from. */
const CASES = 500;
const SEED = Number(process.env["VMBIND_SEED"] ?? 1);

/** What of a format is compared, as patterns of paths without indices: `ops[].stats`. */
export interface FormatPlan {
  /** What the model has to say: every value at or below these paths. */
  expected: RegExp;
  /** Members that mean something when they are there, but need not make a difference: notes, and inputs with a default. */
  idle?: RegExp;
}

type Json = Record<string, unknown> | unknown[];
type TestCase = Record<string, unknown>;

/** A value in a case: the object or list that holds it, and where. */
interface Place {
  testCase: TestCase;
  /** Length of the case's line: what a run of it costs. */
  length: number;
  holder: Json;
  key: string | number;
}

/** One mutation: applies itself and gives what takes it back, or null where it has none. */
type Mutation = (place: Place) => (() => void) | null;

/** By what is done; `of` says to which kinds of places. */
const MUTATIONS: Readonly<
  Record<string, { of: (kind: string, place: Place, plan: FormatPlan) => boolean; apply: Mutation }>
> = {
  "delete a member": {
    of: (kind, { holder }, { idle }) => !Array.isArray(holder) && !idle?.test(kind),
    apply: ({ holder, key }) => {
      const members = holder as TestCase;
      const order = { ...members };
      delete members[key];
      return () => {
        for (const name of Object.keys(members)) delete members[name];
        Object.assign(members, order);
      };
    },
  },
  "change an expectation": {
    of: (kind, _, { expected }) => expected.test(kind),
    apply: ({ holder, key }) => {
      const at = holder as TestCase;
      const value = at[key];
      const other = changed(value);
      if (other === undefined) return null;
      at[key] = other;
      return () => {
        at[key] = value;
      };
    },
  },
  "add a member": {
    of: (_, { holder, key }) => isObject((holder as TestCase)[key]),
    apply: ({ holder, key }) => {
      const members = (holder as TestCase)[key] as TestCase;
      members["surplus"] = 0;
      return () => {
        delete members["surplus"];
      };
    },
  },
};

const WORDS: readonly (readonly string[])[] = [
  ["single", "plain"],
  ["page", "range"],
  ["submit", "exec"],
  ["map", "unmap"],
  ["l1", "l2"],
  ["phase-shift", "length"],
  ["sparse", "repeat"],
];

/** Another value of the same kind; undefined where there is nothing to change. */
function changed(value: unknown): unknown {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + (value < 0 ? -1 : 1);
  if (value === null) return "0x1000";
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.slice(0, -1);
  if (typeof value !== "string") return undefined;
  const pair = WORDS.find((words) => words.includes(value));
  if (pair) return pair.find((word) => word !== value);
  const last = Number.parseInt(value.at(-1) ?? "", 16);
  return Number.isNaN(last) ? `${value}?` : value.slice(0, -1) + (last ^ 1).toString(16);
}

function isObject(value: unknown): value is TestCase {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of an address and what it translates to only the second is expected. */
function isPair(kind: string): boolean {
  return kind === ".translate[]" || kind === ".steps[].translate[]";
}

/** The places of all cases by kind. */
function kindsOf(cases: readonly { testCase: TestCase; length: number }[]): Map<string, Place[]> {
  const kinds = new Map<string, Place[]>();
  const visit = (place: Place, kind: string): void => {
    const places = kinds.get(kind) ?? [];
    if (places.length === 0) kinds.set(kind, places);
    places.push(place);
    const value = (place.holder as TestCase)[place.key];
    if (Array.isArray(value)) {
      for (const key of value.keys())
        visit({ ...place, holder: value, key }, `${kind}[]${isPair(kind) ? `.${key}` : ""}`);
    } else if (isObject(value)) {
      const { op = "", step = "", unit = "", struct = "" } = value;
      const variant = [op, step, unit, struct].find(
        (name) => typeof name === "string" && /^[a-z_]+$/.test(name),
      );
      const below = variant === undefined ? kind : `${kind}(${variant})`;
      for (const key of Object.keys(value)) visit({ ...place, holder: value, key }, `${below}.${key}`);
    }
  };
  for (const { testCase, length } of cases) visit({ testCase, length, holder: [testCase], key: 0 }, "");
  return kinds;
}

/** What came of one mutation of a format's cases. */
interface MutationTally {
  tried: number;
  passed: string[];
}

function mutate(
  name: string,
  check: VectorCheck,
  { header, kinds }: VectorFile,
  plan: FormatPlan,
): MutationTally {
  const { of, apply } = MUTATIONS[name] as (typeof MUTATIONS)[string];
  const random = new Random(SEED);
  const tally: MutationTally = { tried: 0, passed: [] };
  for (const [kind, places] of kinds()) {
    const plain = kind.replace(/\([a-z_]+\)/g, "").replace(/^\./, "");
    const all = places.filter((place) => of(plain, place, plan));
    for (let i = 0; i < Math.min(PER_KIND, all.length); i++) {
      const place = PER_KIND >= all.length ? (all[i] as Place) : drawn(all, random);
      const undo = apply(place);
      if (undo === null) continue;
      tally.tried++;
      const { testCase, key } = place;
      if (passes(check, testCase, header)) tally.passed.push(`${testCase["id"] ?? "?"}: ${kind} ${key}`);
      undo();
    }
  }
  return tally;
}

function drawn(places: readonly Place[], random: Random): Place {
  const some = Array.from({ length: DRAWN }, () => random.pick(places) as Place);
  return some.reduce((least, place) => (place.length < least.length ? place : least));
}

function passes(check: VectorCheck, testCase: TestCase, header: VectorHeader): boolean {
  try {
    return check(testCase, header) === null;
  } catch (error) {
    if (error instanceof DrmError) return false;
    throw error;
  }
}

/**
 * The tests of the formats of a package.
 *
 * @param folder - of its vectors
 * @param checks - by format
 * @param plans - by format
 */
export function mutationTests(
  folder: URL,
  checks: Readonly<Record<string, VectorCheck>>,
  plans: Readonly<Record<string, FormatPlan>>,
): void {
  const files = readdirSync(folder).map((name) => load(new URL(name, folder)));
  for (const [format, check] of Object.entries(checks)) {
    const ofFormat = files.filter(({ header }) => header.format === format);
    test(`${format}: takes a note for people beside a case, as a text`, { timeout: 3_600_000 }, () => {
      const { testCase, header } = shortest(ofFormat);
      expect(passes(check, { ...testCase, note: "a remark" }, header)).toBe(true);
      expect(passes(check, { ...testCase, note: 5 }, header)).toBe(false);
    });
    for (const name of Object.keys(MUTATIONS)) {
      test(`${format}: ${name}`, { timeout: 3_600_000 }, () => {
        const tallies = ofFormat.map((file) => mutate(name, check, file, plans[format] as FormatPlan));
        const tried = tallies.reduce((sum, tally) => sum + tally.tried, 0);
        const passed = tallies.flatMap((tally) => tally.passed);
        if (LONG) process.stdout.write(`${format}: ${name}: ${tried} tried, ${passed.length} pass\n`);
        expect(tried).toBeGreaterThan(0);
        expect(passed).toEqual([]);
      });
    }
  }
}

/** The shortest case of some files. */
function shortest(files: readonly VectorFile[]): { testCase: TestCase; header: VectorHeader } {
  const all = files.flatMap(({ header, kinds }) =>
    (kinds().get("") ?? []).map((place) => ({ ...place, header })),
  );
  return all.reduce((least, place) => (place.length < least.length ? place : least));
}

interface VectorFile {
  header: VectorHeader;
  /** The places of its cases, looked up once. */
  kinds: () => Map<string, Place[]>;
}

function load(file: URL): VectorFile {
  const raw = readFileSync(file);
  const text = (file.pathname.endsWith(".gz") ? gunzipSync(raw) : raw).toString();
  const [header, ...lines] = text.trimEnd().split("\n") as [string, ...string[]];
  const step = LONG ? 1 : Math.ceil(lines.length / CASES);
  const cases = lines
    .filter((_, i) => i % step === 0)
    .map((line) => ({ testCase: JSON.parse(line) as TestCase, length: line.length }));
  let kinds: Map<string, Place[]> | undefined;
  return {
    header: JSON.parse(header) as VectorHeader,
    kinds: () => {
      kinds ??= kindsOf(cases);
      return kinds;
    },
  };
}
