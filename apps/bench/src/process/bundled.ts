/**
 * Runs the bundled program: one script for each of its chunks, with what V8 compiled of it when the program was built
 * (`scripts/compile-quick.mjs`), so that what a command needs is not parsed again.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Script } from "node:vm";

interface Chunk {
  readonly script: Script;
  readonly exports: object;
}

/** Chunks that have run, or begun to, by their paths. */
const CHUNKS: Map<string, Chunk> = new Map();

const requireOther = createRequire(import.meta.url);

/**
 * Parameters of a chunk, as of any CommonJS module, and what it imports modules by that are not in the bundle: a script has no `import()`
 * of its own. On its first line, so that lines are counted as they stand in the file.
 */
const HEAD = "(function (exports, require, module, __filename, __dirname, importModule) {";

/**
 * Run a chunk, unless it has run.
 *
 * @param file - where it is
 * @returns what it exports
 */
export function runChunk(file: URL): object {
  return run(fileURLToPath(file));
}

function run(path: string): object {
  const known = CHUNKS.get(path);
  if (known !== undefined) return known.exports;
  const cachedData = compiledBefore(path);
  const script = new Script(`${HEAD}${readFileSync(path, "utf8")}\n})`, {
    filename: path,
    ...(cachedData && { cachedData }),
  });
  const chunk: Chunk = { script, exports: {} };
  CHUNKS.set(path, chunk);
  const folder = dirname(path);
  /** Chunks stand beside each other. */
  const require = (id: string): unknown => (id.startsWith("./") ? run(join(folder, id)) : requireOther(id));
  const importModule = (id: string): Promise<unknown> =>
    import(id.startsWith(".") ? pathToFileURL(join(folder, id)).href : id);
  script.runInThisContext()(chunk.exports, require, chunk, path, folder, importModule);
  return chunk.exports;
}

/** V8 takes it only where its version and its flags are the same; otherwise it compiles what runs, as it does without. */
function compiledBefore(path: string): Buffer | undefined {
  try {
    return readFileSync(compiledOf(path));
  } catch {
    return undefined;
  }
}

/** Keep what V8 has compiled so far of the chunks that have run, for processes to come. */
export function keepCompiled(): void {
  for (const [path, { script }] of CHUNKS) writeFileSync(compiledOf(path), script.createCachedData());
}

function compiledOf(path: string): string {
  return `${path}.code`;
}
