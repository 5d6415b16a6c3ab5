/**
 * Runs inside of `vmbind live`: every subtest of an igt binary in a process of its own, one after the other, and prints a line
 * of JSON for each: name, result, seconds, and what it said where it did not pass.
 *
 * node subtests.mjs SECONDS NAMES COMMAND...     NAMES: a JSON array, empty for all that the binary has
 */

import { spawnSync } from "node:child_process";

/** `IGT_EXIT_*` of igt. */
const RESULTS = new Map([
  [0, "pass"],
  [77, "skip"],
]);

const [seconds, only, ...command] = process.argv.slice(2);
const timeout = Number(seconds) * 1000;

function igt(args) {
  const [program, ...first] = command;
  // igt logs to the kernel's log and looks for debugfs; neither is needed.
  return spawnSync(program, [...first, ...args], { encoding: "utf8", timeout, killSignal: "SIGKILL" });
}

const names = JSON.parse(only);
const listed = igt(["--list-subtests"]);
if (listed.status !== 0 || listed.stdout.trim() === "") {
  process.stderr.write(`${listed.stdout}${listed.stderr}`);
  process.exit(listed.status || 1);
}
for (const name of listed.stdout.trim().split("\n")) {
  if (names.length > 0 && !names.includes(name)) continue;
  const begin = process.hrtime.bigint();
  const { status, stdout, stderr, error } = igt(["--run-subtest", name]);
  const took = Number(process.hrtime.bigint() - begin) / 1e9;
  const result = error?.code === "ETIMEDOUT" ? "timeout" : (RESULTS.get(status) ?? "fail");
  const said = result === "pass" ? undefined : `${stdout}${stderr}`.trim();
  process.stdout.write(`${JSON.stringify({ name, result, seconds: took, said })}\n`);
}
