/**
 * The client that measures, on the one Vulkan driver that runs everywhere: what it prints must be what a report takes.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLI } from "./live.mjs";

const LIMIT_MS = 600_000;

/** What is measured where; no model takes part. */
export const MEASURED = [{ umd: "lavapipe", device: "this machine", library: "libvulkan_lvp.so" }];

/**
 * Measure, and make a report of it.
 *
 * @param programs - see `Programs`
 * @param row - of `MEASURED`
 * @returns the row's result
 */
export function runMeasure(programs, { umd, device, library }) {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-oracle-"));
  const begin = Date.now();
  const failures = [];
  const run = (name, command, args) => {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      encoding: "utf8",
      timeout: LIMIT_MS,
    });
    if (status === 0) return stdout;
    const reason = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
    failures.push({ name, result: "fail", reason });
    return null;
  };
  try {
    const client = programs.client("amd64");
    const args = ["--icd", programs.library("amd64", library), "--measure"];
    const [command, ...rest] = programs.command("amd64", client, args);
    const printed = run("measure", command, rest);
    if (printed !== null) {
      const file = join(folder, "measured.jsonl");
      writeFileSync(file, printed);
      const report = ["--measured", file, "--report", join(folder, "report.html")];
      run("report", process.execPath, [CLI, "compare", "--workload", "unbound", ...report]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    kind: "measurements",
    name: umd,
    device,
    total: 2,
    run: 2,
    passed: 2 - failures.length,
    least: 2,
    seconds: (Date.now() - begin) / 1000,
    ok: failures.length === 0,
    failures,
  };
}
