/**
 * What results depend on besides their inputs: the code that makes them, and the recordings that come with it.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Where this module stands: `src` or `dist` of the command's package. */
const CODE = fileURLToPath(new URL("..", import.meta.url));

/** Packages of this repository; their files are read, whereas others are as their version says. */
const OWN_SCOPE = "@vmbind/";

/** What never takes part in a run. */
const IDLE = /(\.d\.ts|\.map|\.tsbuildinfo|\.code)$/;

/**
 * A digest of the program as it stands on the disk: the compiled files of the command and of each package of the repository below
 * it, the versions of all other dependencies, the bundled recordings. Node's version takes no part: every one gives the same results.
 *
 * @returns 64 hex digits
 * @throws the file system's error, for a program that cannot read itself
 */
export function codeDigest(): string {
  const hash = createHash("sha256");
  const root = dirname(CODE);
  addFolder(hash, join(root, "traces"));
  addPackage(hash, root, basename(CODE), new Set());
  return hash.digest("hex");
}

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
}

function addPackage(hash: Hash, root: string, code: string, seen: Set<string>): void {
  if (seen.has(root)) return;
  seen.add(root);
  addFolder(hash, join(root, code));
  const manifest = join(root, "package.json");
  const require = createRequire(manifest);
  for (const name of Object.keys(manifestOf(manifest).dependencies ?? {}).sort()) {
    const found = findManifest(require, name);
    if (name.startsWith(OWN_SCOPE)) addPackage(hash, dirname(found), code, seen);
    else hash.update(`${name} ${manifestOf(found).version}\0`);
  }
}

/** Not by resolving `NAME/package.json`: many packages do not export it. */
function findManifest(require: NodeJS.Require, name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return realpathSync(join(folder, name, "package.json"));
    } catch {}
  }
  throw new Error(`${name} is not installed`);
}

function manifestOf(path: string): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}

function addFolder(hash: Hash, folder: string): void {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addFolder(hash, path);
    else if (!IDLE.test(entry.name)) {
      const bytes = readFileSync(path);
      hash.update(`${entry.name} ${bytes.length}\0`).update(bytes);
    }
  }
}
