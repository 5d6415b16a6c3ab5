/**
 * Bundles each page's script into one classic script without imports, dist/pages/NAME.js, which the page carries inside.
 * The command's build runs this, and Vitest before all tests (`globalSetup`), so that tests need no build.
 */

import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const PAGES = ["report", "explore"];

/** Bundle all pages from the sources of the packages. */
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
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePages();
