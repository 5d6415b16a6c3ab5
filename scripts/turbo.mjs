/**
 * `turbo run` without telemetry, on every shell, and with all that it says on standard error: a command that is run behind a
 * build has standard output for itself.
 */

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const turbo = join(dirname(createRequire(import.meta.url).resolve("turbo/package.json")), "bin/turbo");
const { status } = spawnSync(process.execPath, [turbo, "run", ...process.argv.slice(2)], {
  stdio: ["inherit", 2, 2],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
});
process.exitCode = status ?? 1;
