/** `vmbind live` of this repository, as a user starts it. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The command. */
export const CLI = join(fileURLToPath(new URL("../..", import.meta.url)), "apps/bench/dist/cli.js");

/**
 * Run a command on a model.
 *
 * @param options - arguments of `vmbind live` in front of the command
 * @param command - program and arguments
 * @param more - `env`: further variables; `limitMs`: after how long it is ended; `stdio`: `inherit` shows what it prints instead of keeping it
 * @returns `status` (null where it was ended), what it printed
 */
export function live(options, command, { env = {}, limitMs = 600_000, stdio = "pipe" } = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, "live", ...options, "--", ...command], {
      env: { ...process.env, ...env },
      stdio: ["ignore", stdio, stdio],
    });
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text) => (stderr += text));
    const alarm = setTimeout(() => child.kill("SIGKILL"), limitMs);
    child.on("close", (status) => {
      clearTimeout(alarm);
      resolve({ status, stdout, stderr });
    });
  });
}
