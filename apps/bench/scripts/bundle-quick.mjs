/**
 * Bundles the program: 700 modules of the packages become a few dozen files, and what waits for its GPU, or for one short recording,
 * starts in two thirds of the time and memory. It replaces the compiled dist/cli.js, and puts its chunks and the thread that runs
 * commands into dist/quick. Commands that always run others' modules are left as they are compiled: those import the packages, too, and
 * would meet the same classes a second time.
 *
 * Modules find files of this package relative to where they stand, two folders below it; chunks stand as deep.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const path = (from) => fileURLToPath(new URL(from, import.meta.url));
const SOURCES = path("../src");

// Compiled before this runs.
const { COMMANDS } = await import("../dist/commands.js");
const AS_COMPILED = COMMANDS.filter(({ asCompiled }) => asCompiled === "always").map(
  ({ name }) => `commands/${name}.ts`,
);

/** Leaves those to the compiled modules, which share nothing with the bundle. */
const leave = {
  name: "leave",
  enforce: "pre",
  resolveId(source, importer, { kind }) {
    if (kind !== "dynamic-import" || importer === undefined || !source.startsWith(".")) return null;
    const to = relative(SOURCES, join(dirname(importer), source));
    return AS_COMPILED.includes(to) ? { id: `../${to.replace(/\.ts$/, ".js")}`, external: true } : null;
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
      input: { cli: path("../src/cli.ts"), "quick/thread": path("../src/process/thread.ts") },
      output: {
        format: "es",
        entryFileNames: "[name].js",
        chunkFileNames: "quick/[name].js",
        comments: false,
      },
    },
  },
});

// What the compiler notes of each package: whether it was compiled behind this is seen by that.
const packages = path("../node_modules/@vmbind");
const kept = path("../dist/quick/compiled");
mkdirSync(kept);
for (const name of readdirSync(packages)) {
  const note = join(packages, name, "dist/.tsbuildinfo");
  if (existsSync(note)) copyFileSync(note, join(kept, `${name}.tsbuildinfo`));
}
