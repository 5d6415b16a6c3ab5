/**
 * Bundles the script of the report's page into one classic script without imports, dist/pages/report.js, which the page carries inside,
 * and takes the page of the playground, into which `explore` puts a trace. The command's build runs this, and Vitest before all tests
 * (`globalSetup`, behind the playground's), so that tests need no build.
 */

import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const require = createRequire(import.meta.url);
const PAGES = ["report"];

/** Bundle the scripts from the sources of the packages; the playground has to be built. */
export default async function bundlePages() {
  for (const page of PAGES) {
    await build({
      configFile: false,
      root: path(".."),
      logLevel: "error",
      publicDir: false,
      resolve: { conditions: ["@vmbind/source"] },
      build: {
        outDir: path("../dist/pages"),
        emptyOutDir: false,
        target: "es2023",
        minify: false,
        rolldownOptions: {
          input: path(`../src/pages/${page}.ts`),
          output: { format: "iife", entryFileNames: `${page}.js`, comments: false },
          // No comments with paths, which depend on the folder that this runs in.
          experimental: { attachDebugInfo: "none" },
        },
      },
    });
  }
  copyFileSync(require.resolve("@vmbind/playground/index.html"), path("../dist/pages/playground.html"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePages();
