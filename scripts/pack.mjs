/**
 * Builds and packs a package with all that it needs of this repository, to be installed from a folder while none is on a registry:
 *
 *   npx -y pnpm@10.34.8 tarballs panthor ~/packed       packages/panthor, and drm, gpuvm-core, mmu, trace below it
 *   npx -y pnpm@10.34.8 tarballs vmbind ~/packed        the command, and all packages
 *
 * The last line says how to install them; npm takes them all at once, so that one finds the other.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { closure, packages, program, root } from "./published.mjs";

const [folder, where = "packed"] = process.argv.slice(2);
const wanted = [...packages, program].find((pkg) => pkg.folder === folder);
if (wanted === undefined) {
  const folders = [...packages, program].map((pkg) => pkg.folder).join(", ");
  console.error(`usage: pnpm tarballs PACKAGE [FOLDER]\nPACKAGE is one of ${folders}`);
  process.exit(2);
}
const into = resolve(where);
mkdirSync(into, { recursive: true });

const run = (file, args, cwd) =>
  execFileSync(file, args, { cwd, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
const build = ["build", `--filter=${wanted.name}`, "--output-logs=errors-only"];
run(process.execPath, [join(root, "scripts/turbo.mjs"), ...build], root);
for (const { dir } of closure(wanted)) {
  const out = run("pnpm", ["pack", "--json", "--pack-destination", into], dir);
  console.log(JSON.parse(out.slice(out.indexOf("{"))).filename);
}
console.log(`npm install ${join(into, "*.tgz")}`);
