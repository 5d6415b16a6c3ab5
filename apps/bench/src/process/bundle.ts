/**
 * Whether the bundled program is that of the packages as they are compiled.
 *
 * @module
 */

import { readdirSync, readFileSync, statSync } from "node:fs";

/** @returns whether the program that runs is a bundle that {@link isBehind} */
export function isThisBehind(): boolean {
  const packages = new URL("../../node_modules/@vmbind/", import.meta.url);
  return isBehind(new URL("./thread.js", import.meta.url), packages);
}

/**
 * Whether a package was compiled anew behind the bundle; the compiler's notes on it tell, which no installed package has. They may be
 * younger and say the same, as `tsc -b` leaves them: what they said then is kept with the bundle (`scripts/bundle-quick.mjs`).
 *
 * @param bundled - a file of the bundle, with the folder `compiled` beside it
 * @param packages - the folder that they are in
 */
export function isBehind(bundled: URL, packages: URL): boolean {
  try {
    const made = statSync(bundled).mtimeMs;
    for (const name of readdirSync(packages)) {
      const note = new URL(`${name}/dist/.tsbuildinfo`, packages);
      if ((statSync(note, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= made) continue;
      const kept = new URL(`compiled/${name}.tsbuildinfo`, bundled);
      if (!readFileSync(note).equals(readFileSync(kept))) return true;
    }
    return false;
  } catch {
    // No such folder, where packages are installed otherwise.
    return false;
  }
}
