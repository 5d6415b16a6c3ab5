/** What tests of the house read: the packages of this repository, their files and what those say. */

import { existsSync, readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../", import.meta.url);

/**
 * @param path - from the root of the repository
 * @returns the text of a file
 */
export function read(path: string): string {
  return readFileSync(new URL(path, ROOT), "utf8");
}

/**
 * @param path - from the root of the repository
 * @returns whether there is such a file
 */
export function exists(path: string): boolean {
  return existsSync(new URL(path, ROOT));
}

/**
 * @param folder - from the root of the repository
 * @returns every file in it and below, as paths from the root, sorted; what is built or installed is left out;
 *   none where there is no such folder
 */
export function filesIn(folder: string): string[] {
  if (!exists(folder)) return [];
  return readdirSync(new URL(`${folder}/`, ROOT), { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules" && name !== "dist")
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesIn(path) : [path];
    })
    .sort();
}

/** Names of the folders in `packages`. */
export const PACKAGES: readonly string[] = readdirSync(new URL("packages/", ROOT)).filter((name) =>
  exists(`packages/${name}/package.json`),
);

/** Of these, the drivers: they have a uAPI. */
export const DRIVERS: readonly string[] = PACKAGES.filter((name) => exists(`packages/${name}/src/uapi.ts`));
