/** The packages that are published, and what each needs: for the scripts that pack them, try them and hold them against one another. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

export const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

function packageIn(folder, dir) {
  const json = readJson(join(dir, "package.json"));
  // A peer that may be missing is needed all the same by whoever imports the types of the entry that uses it.
  const needs = Object.keys({ ...json.dependencies, ...json.peerDependencies });
  return { folder, dir, json, name: json.name, needs, tarball: "" };
}

/** The libraries. Private packages are tests, not for users. */
export const packages = readdirSync(join(root, "packages"))
  .map((folder) => packageIn(folder, join(root, "packages", folder)))
  .filter(({ json }) => !json.private);

/** The package with the command: it has dependencies of others. */
export const program = packageIn("vmbind", join(root, "apps/bench"));

export const byName = new Map([...packages, program].map((pkg) => [pkg.name, pkg]));

/**
 * A package and all that it needs of this repository, each once, what is needed first.
 *
 * @param pkg - of {@link packages}, or {@link program}
 * @param outsiders - what others wrote by name, to be listed as well
 */
export function closure(pkg, outsiders = new Map(), seen = new Set()) {
  for (const name of pkg.needs) {
    const needed = byName.get(name) ?? outsiders.get(name);
    if (needed !== undefined && !seen.has(needed)) closure(needed, outsiders, seen);
  }
  seen.add(pkg);
  return [...seen];
}
