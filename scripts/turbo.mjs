/**
 * `turbo run` without telemetry, on every shell, and with all that it says on standard error: a command that is run behind a
 * build has standard output for itself.
 */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const turbo = fileURLToPath(import.meta.resolve("turbo"));
const { status } = spawnSync(process.execPath, [turbo, "run", ...process.argv.slice(2)], {
  stdio: ["inherit", 2, 2],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
});
process.exitCode = status ?? 1;
