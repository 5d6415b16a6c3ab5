/**
 * All tests, and the programs that they start, have one folder for temporary files. At the end it is removed, and what is still in it
 * is a fault of a test: run a thousand times, it would fill a disk.
 */

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Who names the folder for temporary files, on any system. */
const NAMES = ["TMPDIR", "TEMP", "TMP"];

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-tests-"));
  for (const name of NAMES) process.env[name] = folder;
  return () => {
    const left = readdirSync(folder);
    rmSync(folder, { recursive: true, force: true });
    if (left.length === 0) return;
    // Vitest prints what is thrown here, and ends as if all were well.
    process.exitCode = 1;
    throw new Error(
      `tests left files in the temporary folder (test/temp.ts removes them): ${left.join(", ")}`,
    );
  };
}
