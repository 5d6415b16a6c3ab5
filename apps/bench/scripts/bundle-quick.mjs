/**
 * Bundles the program: 700 modules of the packages become a few dozen scripts in dist/quick, which dist/process/bundled.js runs. What
 * waits for its GPU, or for one short recording, starts in two thirds of the time and memory. dist/cli.js begins with it, and the threads
 * and the processes of `micro` in dist/quick. Commands that always run others' modules are left as they are compiled: those import the
 * packages, too, and would meet the same classes a second time.
 *
 * Modules find files of this package relative to where they stand, two folders below it; chunks stand as deep.
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, parseAst } from "vite";
import { QUICK_DRIVERS } from "./quick-drivers.mjs";

const path = (from) => fileURLToPath(new URL(from, import.meta.url));
const SOURCES = path("../src");

// Compiled before this runs.
const { COMMANDS } = await import("../dist/commands.js");
const AS_COMPILED = COMMANDS.filter(({ asCompiled }) => asCompiled === "always").map(
  ({ name }) => `commands/${name}.ts`,
);

/** What a replay runs. */
const MODELS = new RegExp(
  `packages/(drm|gpuvm-core|mmu|trace|${QUICK_DRIVERS.join("|")})/dist/(?!conformance|fuzz)`,
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

/** Modules that every command waits for. */
const atStart = new Set();
const START = path("../src/process/run.ts");

/** Finds them. */
const start = {
  name: "start",
  buildEnd() {
    const open = [START];
    for (const id of open) {
      if (atStart.has(id)) continue;
      atStart.add(id);
      open.push(...(this.getModuleInfo(id)?.importedIds ?? []));
    }
  },
};

/** Modules that are not in the bundle are imported by a function that a chunk is given. */
const imports = {
  name: "imports",
  generateBundle(_, bundle) {
    for (const chunk of Object.values(bundle)) {
      for (const { start } of importsIn(parseAst(chunk.code)).reverse()) {
        chunk.code = `${chunk.code.slice(0, start)}importModule${chunk.code.slice(start + "import".length)}`;
      }
    }
  },
};

/** In the order in which they stand. */
function importsIn(node) {
  if (node === null || typeof node !== "object") return [];
  const within = Object.values(node).flatMap(importsIn);
  return node.type === "ImportExpression" ? [node, ...within] : within;
}

rmSync(path("../dist/quick"), { recursive: true, force: true });
await build({
  configFile: false,
  root: path(".."),
  logLevel: "error",
  publicDir: false,
  plugins: [leave, start, imports],
  ssr: { noExternal: [/^@vmbind\//, "signal-exit", "valibot"] },
  build: {
    ssr: true,
    outDir: path("../dist/quick"),
    emptyOutDir: false,
    target: "node20",
    minify: false,
    rolldownOptions: {
      input: {
        run: START,
        main: path("../src/main.ts"),
        thread: path("../src/process/thread.ts"),
        "fuzz-thread": path("../src/fuzz/fuzz-thread.ts"),
        worker: path("../src/jobs/worker.ts"),
        areas: path("../src/micro/areas.ts"),
        measure: path("../src/micro/child.ts"),
      },
      output: {
        format: "cjs",
        exports: "named",
        entryFileNames: "[name].cjs",
        chunkFileNames: "[name].cjs",
        comments: false,
        // What runs together is one script: there, functions call each other by name, and not through what a script exports.
        codeSplitting: {
          groups: [
            { name: "start", test: (id) => atStart.has(id), priority: 1 },
            { name: "models", test: MODELS },
          ],
        },
      },
    },
  },
});

writeFileSync(
  path("../dist/cli.js"),
  `#!/usr/bin/env node
import { runChunk } from "./process/bundled.js";

const { runCommand } = runChunk(new URL("./quick/run.cjs", import.meta.url));
process.exitCode = await runCommand(process.argv.slice(2));
`,
);

/** Chunks that are started or imported by their files, and what each exports. */
const BY_FILE = {
  thread: "",
  measure: "",
  "fuzz-thread": "export default chunk.default;\n",
  worker: "export default chunk.default;\n",
  areas: "export const { AREAS } = chunk;\n",
};
for (const [name, exported] of Object.entries(BY_FILE)) {
  writeFileSync(
    path(`../dist/quick/${name}.js`),
    `import { runChunk } from "../process/bundled.js";

const chunk = runChunk(new URL("./${name}.cjs", import.meta.url));
${exported}`,
  );
}

// What the compiler notes of each package: whether it was compiled behind this is seen by that.
const packages = path("../node_modules/@vmbind");
const kept = path("../dist/quick/compiled");
mkdirSync(kept);
for (const name of readdirSync(packages)) {
  const note = join(packages, name, "dist/.tsbuildinfo");
  if (existsSync(note)) copyFileSync(note, join(kept, `${name}.tsbuildinfo`));
}
