/**
 * Puts the documentation, the playground and a front page into one folder, `site/`, with relative links only: it works from a file share
 * and from any address. Both are built before (`pnpm site`); every page is checked in the end.
 */

import { cpSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkSite } from "./site/check.mjs";

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const SITE = path("site");
const PARTS = [
  ["docs/api", "site/api"],
  ["apps/playground/dist", "site/playground"],
  ["scripts/site/front-page.html", "site/index.html"],
];

rmSync(SITE, { recursive: true, force: true });
for (const [from, to] of PARTS) {
  if (!existsSync(path(from))) throw new Error(`${from} is not built: run \`pnpm site\``);
  cpSync(path(from), path(to), { recursive: true });
}
const complaints = await checkSite(SITE);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
else console.log("site/index.html");
