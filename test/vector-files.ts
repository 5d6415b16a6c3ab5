/** Files of conformance vectors, as the tests of packages read them and bend their cases. */

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import type { VectorHeader } from "../packages/drm/src/conformance.ts";

type Json = Record<string, unknown>;

/** What a file holds. */
export interface Vectors {
  readonly header: VectorHeader & Json;
  readonly cases: readonly Json[];
}

/** @param file - JSON Lines, zipped where its name says so */
export function readVectors(file: URL): Vectors {
  const raw = readFileSync(file);
  const text = (file.pathname.endsWith(".gz") ? gunzipSync(raw) : raw).toString();
  const [header, ...cases] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { header, cases };
}

/**
 * A case with another value in one place.
 *
 * @param testCase - stays as it is
 * @param path - of the value, as checks name it, `ops[0].stats.io_map`, or with dots only
 * @param change - what the value becomes; the member goes when that is undefined
 * @throws Error when it had that value before: the test would show nothing
 */
export function bent(testCase: Json | undefined, path: string, change: (value: unknown) => unknown): Json {
  const copy = structuredClone(testCase ?? {});
  const names = path.split(/[.[\]]+/).filter((name) => name !== "");
  const last = names.pop() ?? "";
  let holder = copy;
  for (const name of names) holder = holder[name] as Json;
  const value = change(holder[last]);
  if (isDeepStrictEqual(value, holder[last])) throw new Error(`${path} has this value already`);
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}

/** A number, one higher. */
export function oneMore(value: unknown): number {
  return Number(value) + 1;
}
