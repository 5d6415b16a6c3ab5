/**
 * Which version of the program this is.
 *
 * @module
 */

import { readFile } from "node:fs/promises";

/** @returns version of the package that this program is, e.g. `0.1.0` */
export async function programVersion(): Promise<string> {
  const manifest = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
