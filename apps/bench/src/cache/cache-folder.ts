/**
 * Where results are kept between runs.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The clone, where the command runs in one. */
const CLONE = fileURLToPath(new URL("../../../..", import.meta.url));

/**
 * @returns in a clone a folder below its `node_modules`, which goes when they go; for an installed command the user's folder for
 * caches, as the system has it; `VMBIND_CACHE` in place of both
 */
export function cacheFolder(): string {
  const { VMBIND_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (VMBIND_CACHE) return VMBIND_CACHE;
  if (existsSync(join(CLONE, "pnpm-workspace.yaml"))) return join(CLONE, "node_modules", ".cache", "vmbind");
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "vmbind", "cache");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "vmbind");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "vmbind");
}
