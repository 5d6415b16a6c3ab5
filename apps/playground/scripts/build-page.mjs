/** Builds dist/index.html, and dist/editor.js beside it. The package's build runs this, and Vitest before all tests (`globalSetup`), so that tests need no build. */

import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/**
 * Build the page from the sources of the packages, as it is published. Vitest says NODE_ENV=test, and the page would be one for its
 * developers then: a twentieth larger, with the paths of this machine in it.
 */
export default async function buildPage() {
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = "production";
  try {
    await buildBoth();
  } finally {
    if (NODE_ENV === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = NODE_ENV;
  }
}

async function buildBoth() {
  await build({ root: path(".."), configFile: path("../vite.config.ts"), logLevel: "error" });
  await build({
    root: path(".."),
    configFile: false,
    publicDir: false,
    resolve: { conditions: ["@vmbind/source"] },
    worker: { format: "iife" },
    logLevel: "error",
    build: {
      target: "es2023",
      emptyOutDir: false,
      reportCompressedSize: false,
      lib: {
        entry: path("../src/editor/main.tsx"),
        formats: ["iife"],
        name: "editor",
        fileName: () => "editor.js",
      },
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
