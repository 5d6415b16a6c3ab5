/** igt's tests on a model: one server for a binary, one process for a subtest. */

import { fileURLToPath } from "node:url";
import { live } from "./live.mjs";

const SUBTESTS = fileURLToPath(new URL("subtests.mjs", import.meta.url));
/** A subtest that takes longer hangs. */
const SUBTEST_SECONDS = 60;
const SUITE_MS = 1_800_000;

/** The line of igt's output that says why: the failed assertion, what a skip wants, or the last one. */
function reasonOf(said) {
  const lines = said.split("\n");
  const line =
    lines.find((text) => /Failed assertion/.test(text)) ??
    lines.find((text) => /requirement|SKIP/.test(text)) ??
    lines.at(-1) ??
    "";
  // Time, process and severity stand in front of it.
  return line
    .replace(/^\[[\d.]+\] \([^)]*\) *(\[[^\]]*\] )?(\S+: )?/, "")
    .trim()
    .slice(0, 160);
}

/**
 * Run a binary.
 *
 * @param programs - see `Programs`
 * @param suite - a row of `IGT`
 * @returns the row's result: `passed`, `failures` with their reasons, `ok`
 */
export async function runIgt(programs, suite) {
  const {
    binary,
    device,
    vram,
    debugBuild,
    total,
    tries = 1,
    explained = {},
    least = total - Object.keys(explained).length,
  } = suite;
  const command = programs.command("amd64", programs.path("amd64", `libexec/igt-gpu-tools/${binary}`), []);
  const runner = [process.execPath, SUBTESTS, String(SUBTEST_SECONDS), String(tries), ...command];
  const begin = Date.now();
  const { stdout, stderr, status } = await live(
    ["--device", device, ...(vram ? ["--vram", vram] : []), ...(debugBuild ? ["--debug-build"] : [])],
    runner,
    { limitMs: SUITE_MS },
  );
  const seconds = (Date.now() - begin) / 1000;
  const subtests = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const passed = subtests.filter(({ result }) => result === "pass").length;
  const failures = subtests
    .filter(({ result }) => result !== "pass")
    .map(({ name, result, said }) => ({
      name,
      result,
      reason: explained[name] ?? reasonOf(said),
      explained: name in explained,
    }));
  const complete = status === 0 && subtests.length === total;
  return {
    kind: "igt",
    name: binary,
    device,
    total,
    run: subtests.length,
    passed,
    least,
    seconds,
    ok: complete && passed >= least,
    failures,
    again: subtests.filter(({ result, tried }) => result === "pass" && tried > 1).map(({ name }) => name),
    ...(complete ? {} : { said: `${stdout}${stderr}`.trim().split("\n").slice(-5).join("\n") }),
  };
}
