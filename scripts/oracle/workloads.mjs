/**
 * The workloads of the recordings on a real Vulkan driver on a model, and whether that sends what the recordings hold: every line but
 * header and seal, byte for byte.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { live } from "./live.mjs";
import { renumbered } from "./renumber.mjs";
import { WORKLOADS } from "./suites.mjs";

const RECORDINGS = fileURLToPath(new URL("../../apps/bench/traces/", import.meta.url));
const WORKLOAD_MS = 300_000;

/** Lines of a trace between its header and its seal, which older recordings do not have. */
function linesOf(bytes) {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  const [, ...lines] = plain.toString("utf8").trimEnd().split("\n");
  return (lines.at(-1)?.startsWith('{"end":') ? lines.slice(0, -1) : lines).map(inOrder);
}

/** Older recorders wrote `file` elsewhere, and for the first file, too. */
function inOrder(line) {
  if (!line.includes('"file":')) return line;
  const { seq, file, ...rest } = JSON.parse(line);
  return JSON.stringify(file === 0 ? { seq, ...rest } : { seq, file, ...rest });
}

/** Without what comes back: offsets for mmap are a kernel's own business. */
function sentOf(line) {
  return line.replace(/,"arg_out":"[0-9a-f]*"/, "");
}

/** The first line that differs, in words; null where none does. */
function difference(live, recorded) {
  const at = recorded.findIndex((line, i) => line !== live[i]);
  if (at < 0)
    return live.length === recorded.length ? null : `${live.length} lines, ${recorded.length} recorded`;
  return `line ${at + 2}: ${(live[at] ?? "nothing").slice(0, 160)}`;
}

/**
 * Run all workloads of a Vulkan driver.
 *
 * @param programs - see `Programs`
 * @param row - of `VULKAN`
 * @returns the row's result
 */
export async function runWorkloads(
  programs,
  { umd, library, architecture, device, recordings, perFile = false, sentOnly = false },
) {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-oracle-"));
  const begin = Date.now();
  const failures = [];
  try {
    for (const workload of WORKLOADS) {
      const trace = join(folder, `${workload}.jsonl`);
      const args = ["--icd", programs.library(architecture, library), workload];
      const command = programs.command(architecture, programs.client(architecture), args);
      const ended = await live(["--device", device, "--trace", trace], command, { limitMs: WORKLOAD_MS });
      if (ended.status !== 0) {
        failures.push({
          name: workload,
          result: "fail",
          reason: ended.stderr.trim().split("\n").at(-1) ?? "",
        });
        continue;
      }
      const lines = (path) => linesOf(readFileSync(path)).map(sentOnly ? sentOf : (line) => line);
      const recorded = lines(join(RECORDINGS, `${recordings}-${workload}.jsonl.gz`));
      const traced = lines(trace);
      const differs = perFile
        ? difference(renumbered(traced), renumbered(recorded))
        : difference(traced, recorded);
      if (differs !== null) failures.push({ name: workload, result: "differs", reason: differs });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const total = WORKLOADS.length;
  return {
    kind: "workloads",
    name: umd,
    device,
    total,
    run: total,
    passed: total - failures.length,
    least: total,
    seconds: (Date.now() - begin) / 1000,
    ok: failures.length === 0,
    failures,
  };
}
