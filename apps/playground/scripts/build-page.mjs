/** Builds dist/index.html. The package's build runs this, and Vitest before all tests (`globalSetup`), so that tests need no build. */

import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Build the page from the sources of the packages. */
export default async function buildPage() {
  await build({ root: path(".."), configFile: path("../vite.config.ts"), logLevel: "error" });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
