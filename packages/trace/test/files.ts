/** The recordings that come with the command, read as a user of the package would read them. */
import { readdirSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { gunzip, type Lens, readTrace, type Trace } from "@vmbind/trace";
import { lens as asahi } from "../../asahi/src/trace.ts";
import { lens as panthor } from "../../panthor/src/trace.ts";
import { lens as xe } from "../../xe/src/trace.ts";

const folder = new URL("../../../apps/bench/traces/", import.meta.url);

/** Names of all recordings, sorted. */
export const names: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith(".jsonl.gz"))
  .map((name) => name.slice(0, -".jsonl.gz".length))
  .sort();

const lenses: Readonly<Record<string, Lens>> = { asahi, panthor, xe };

/** The lens of a recording. */
export function lensOf(name: string): Lens {
  const lens = lenses[name.split("-")[0] as string];
  if (lens === undefined) throw new Error(`no lens for ${name}`);
  return lens;
}

function stored(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`${name}.jsonl.gz`, folder)));
}

/** A recording's text. */
export function textOf(name: string): string {
  return gunzipSync(stored(name)).toString();
}

/** Open a recording. */
export function open(name: string): Promise<Trace> {
  return readTrace(name, () => gunzip(stored(name)));
}

/** Open a text as a trace. */
export function openText(text: string): Promise<Trace> {
  return readTrace("text.jsonl", () => gunzip(new TextEncoder().encode(text)));
}
