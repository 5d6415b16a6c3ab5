/**
 * Figures of an earlier run in a file: what `--save` writes and `--compare` reads.
 *
 * @module
 */

import { InputError } from "@vmbind/trace";
import * as v from "valibot";
import { readJsonFile } from "../files/json-file.ts";
import { asKind } from "../files/kinds.ts";
import type { MicroResult } from "./harness.ts";
import type { Machine } from "./machine.ts";
import { PEERS_MACHINE } from "./peers.ts";
import { type RunsVerdict, verdictOf } from "./verdict.ts";

/** What `--json` prints and `--save` writes. */
export interface MicroFile {
  format: "vmbind-micro";
  version: 1;
  /** What the figures were taken on. */
  machine: Machine;
  /** What the peers' figures were taken on. */
  peersMachine: string;
  results: readonly MicroResult[];
}

/**
 * @param machine - this one
 * @param results - what was measured
 */
export function microFile(machine: Machine, results: readonly MicroResult[]): MicroFile {
  return { format: "vmbind-micro", version: 1, machine, peersMachine: PEERS_MACHINE, results };
}

const time = v.pipe(v.number(), v.finite(), v.gtValue(0));
const text = v.pipe(v.string(), v.maxLength(1000));

const SavedSchema = v.object({
  format: v.literal("vmbind-micro"),
  version: v.literal(1),
  machine: v.object({ cpu: text, cores: v.number(), os: text, node: text, v8: text }),
  results: v.array(
    v.object({
      area: text,
      id: text,
      ns: time,
      min: time,
      // Files of before have none, and no verdict.
      times: v.exactOptional(v.pipe(v.array(time), v.minLength(1), v.maxLength(1000))),
    }),
  ),
});

/** What is needed of a file to compare with it. */
export interface Saved {
  /** What its figures were taken on. */
  machine: Pick<Machine, "cpu" | "cores" | "os" | "node" | "v8">;
  /** By area and id; nanoseconds per unit. */
  results: (Pick<MicroResult, "area" | "id" | "ns" | "min"> & Partial<Pick<MicroResult, "times">>)[];
}

/**
 * @param path - of what `--save` wrote
 * @returns its figures
 * @throws {@link InputError} naming the file, the member and the rule
 */
export async function readSaved(path: string): Promise<Saved> {
  return asKind("micro", path, async () => {
    const found = v.safeParse(SavedSchema, await readJsonFile(path));
    if (found.success) return found.output;
    const [issue] = found.issues;
    throw new InputError(path, 0, `${v.getDotPath(issue) ?? "the file"}: ${issue.message}`);
  });
}

/** A workload now and in a file. */
export interface SavedRatio {
  /** See MicroResult. */
  area: string;
  /** See MicroResult. */
  id: string;
  /** Median then, nanoseconds per unit; null for what the file does not have. */
  thenNs: number | null;
  /** Medians: now divided by then; null for what the file does not have. Above 1, it is slower now. */
  ratio: number | null;
  /** The same of the fastest runs. */
  ratioOfMinima: number | null;
  /** Whether the runs differ; null where the file does not have them. */
  verdict: RunsVerdict | null;
}

/**
 * @param results - what was measured now
 * @param saved - what was then
 */
export function ratios(results: readonly MicroResult[], { results: then }: Saved): SavedRatio[] {
  return results.map(({ area, id, ns, min, times }) => {
    const old = then.find((one) => one.area === area && one.id === id);
    if (!old) return { area, id, thenNs: null, ratio: null, ratioOfMinima: null, verdict: null };
    const ratio = ns / old.ns;
    const verdict = old.times ? verdictOf(times, old.times, ratio) : null;
    return { area, id, thenNs: old.ns, ratio, ratioOfMinima: min / old.min, verdict };
  });
}

/**
 * @param now - this machine
 * @param then - that of the file
 * @returns what differs, in words, because of which ratios do not say much; empty when nothing does
 */
export function differences(now: Machine, { machine: then }: Saved): string[] {
  return (["cpu", "cores", "os", "node", "v8"] as const)
    .filter((name) => now[name] !== then[name])
    .map((name) => `${name} ${then[name]} then, ${now[name]} now`);
}
