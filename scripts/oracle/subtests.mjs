/**
 * Runs inside of `vmbind live`: every subtest of an igt binary in a process of its own, one after the other, and prints a line
 * of JSON for each: name, result, seconds, and what it said where it did not pass.
 *
 * node subtests.mjs SECONDS TRIES COMMAND...
 */

import { spawnSync } from "node:child_process";

/** `IGT_EXIT_*` of igt. */
const RESULTS = new Map([
  [0, "pass"],
  [77, "skip"],
]);

const [seconds, tries, ...command] = process.argv.slice(2);
const timeout = Number(seconds) * 1000;

function igt(args) {
  const [program, ...first] = command;
  // igt logs to the kernel's log and looks for debugfs; neither is needed.
  return spawnSync(program, [...first, ...args], { encoding: "utf8", timeout, killSignal: "SIGKILL" });
}

const listed = igt(["--list-subtests"]);
if (listed.status !== 0 || listed.stdout.trim() === "") {
  process.stderr.write(`${listed.stdout}${listed.stderr}`);
  process.exit(listed.status || 1);
}
function run(name) {
  const { status, stdout, stderr, error } = igt(["--run-subtest", name]);
  const result = error?.code === "ETIMEDOUT" ? "timeout" : (RESULTS.get(status) ?? "fail");
  return { result, said: result === "pass" ? undefined : `${stdout}${stderr}`.trim() };
}

for (const name of listed.stdout.trim().split("\n")) {
  const begin = process.hrtime.bigint();
  let tried = 1;
  let ended = run(name);
  while (ended.result !== "pass" && ended.result !== "skip" && tried < Number(tries)) {
    tried++;
    ended = run(name);
  }
  const took = Number(process.hrtime.bigint() - begin) / 1e9;
  process.stdout.write(`${JSON.stringify({ name, ...ended, tried, seconds: took })}\n`);
}
