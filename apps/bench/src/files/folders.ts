/**
 * Folders in place of files: all of a kind that are in them.
 *
 * @module
 */

import { type Dirent, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "@vmbind/trace/input";

/** How traces and vectors end. */
export const JSON_LINES: readonly string[] = [".jsonl", ".jsonl.gz"];
/** How workloads end that are found in a folder (code is run only where it is named), and what shards leave. */
export const WORKLOAD_FILES: readonly string[] = [".json", ".json.gz", ...JSON_LINES];

/**
 * @param path - of a file or a folder
 * @param endings - of names that are meant
 * @returns the path itself for a file; for a folder those in it and below, sorted by name, without hidden ones
 * @throws {@link InputError} for a folder that has none, or that cannot be read
 */
export function filesOf(path: string, endings: readonly string[]): string[] {
  if (!isFolder(path)) return [path];
  const found = below(path, endings);
  if (found.length === 0) throw new InputError(path, 0, `no ${endings.join(" or ")} file in this folder`);
  return found;
}

/** What cannot be looked at is no folder: whoever reads it says why it cannot be read. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw new InputError(folder, 0, `cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function below(folder: string, endings: readonly string[]): string[] {
  return entriesOf(folder)
    .filter(({ name }) => !name.startsWith("."))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return below(path, endings);
      return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
    });
}
