/**
 * Bundles what the program's first thread runs: help, lists, `live` and `record`. It replaces the compiled dist/cli.js and puts its
 * chunks into dist/quick: 250 modules of the packages become a few dozen files, and the program that waits for its GPU starts in two
 * thirds of the time. Commands that run in a thread of their own are loaded as they are compiled; that start is none of their costs.
 *
 * Modules find files of this package relative to where they stand, two folders below it; chunks stand as deep.
 */

import { rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (from) => fileURLToPath(new URL(from, import.meta.url));
const SOURCES = path("../src");

/** Modules whose dynamic imports other threads run. */
const TABLES = ["commands.ts", "drivers/table.ts", "micro/areas.ts"];
/** What starts such a thread. */
const STARTER = "process/supervise.ts";

/** Leaves those to the compiled modules, which share nothing with the bundle. */
const leave = {
  name: "leave",
  enforce: "pre",
  resolveId(source, importer, { kind }) {
    if (kind !== "dynamic-import" || importer === undefined) return null;
    const from = relative(SOURCES, importer);
    const to = source.startsWith(".") ? relative(SOURCES, join(dirname(importer), source)) : null;
    if (!TABLES.includes(from) && to !== STARTER) return null;
    if (to === null) return { id: source, external: true };
    const compiled = to.replace(/\.ts$/, ".js");
    return { id: from === "cli.ts" ? `./${compiled}` : `../${compiled}`, external: true };
  },
};

rmSync(path("../dist/quick"), { recursive: true, force: true });
await build({
  configFile: false,
  root: path(".."),
  logLevel: "error",
  publicDir: false,
  plugins: [leave],
  ssr: { noExternal: [/^@vmbind\//, "signal-exit"] },
  build: {
    ssr: true,
    outDir: path("../dist"),
    emptyOutDir: false,
    target: "node20",
    minify: false,
    rolldownOptions: {
      input: { cli: path("../src/cli.ts") },
      output: {
        format: "es",
        entryFileNames: "[name].js",
        chunkFileNames: "quick/[name].js",
        comments: false,
      },
    },
  },
});
