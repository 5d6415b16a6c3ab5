/** Folders of a test file's own: gone when its tests are done. `temp-guard.ts` sees to it that nothing else stays. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A fresh, empty folder. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
  folders.push(folder);
  return folder;
}
