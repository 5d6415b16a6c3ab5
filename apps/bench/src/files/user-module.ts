/**
 * Modules of users: TypeScript or JavaScript that a command is given by its path.
 *
 * Node 20 strips no types, so a loader has to. jiti does it without a program of its own or an install script, which no dependency
 * here may run. What a module imports from this repository is what the command itself runs, wherever the module lies: its classes
 * are the models' own.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { InputError, UnreadableError } from "@vmbind/trace";
import { createJiti } from "jiti";
import { fileBytes } from "./file-bytes.ts";

/** What a module came to. */
export interface UserModule {
  /** As the user gave it. */
  readonly path: string;
  /** What it exports, by name. */
  readonly exports: Readonly<Record<string, unknown>>;
  /**
   * 64 hex digits over the bytes of the module and of each file that it imports, and over the versions of the packages: two loads
   * with one digest are the same module.
   */
  readonly digest: string;
}

/**
 * Load a module, anew each time.
 *
 * @param path - of a `.ts`, `.mts`, `.cts`, `.js`, `.mjs` or `.cjs` file
 * @returns what it exports, and its digest
 * @throws {@link InputError} naming the file, the line and what is wrong: it cannot be read or parsed, imports what is not there, or
 *   throws
 */
export async function loadModule(path: string): Promise<UserModule> {
  const entry = await realPath(path);
  const sources = new Map<string, string>();
  const native = createRequire(entry).cache;
  const before = new Set(Object.keys(native));
  const { transform } = createJiti(entry, { fsCache: false }).options;
  const jiti = createJiti(entry, {
    fsCache: false,
    moduleCache: false,
    interopDefault: false,
    virtualModules: OWN_MODULES,
    transform: (options) => {
      if (options.filename !== undefined) sources.set(options.filename, options.source);
      if (!transform) throw new Error("jiti has no transform");
      return transform(options);
    },
  });
  try {
    const exports = await jiti.import<Record<string, unknown>>(pathToFileURL(entry).href);
    // Node.js loads JSON and CommonJS by itself, and keeps them.
    const loaded = Object.keys(native).filter(
      (file) => !before.has(file) && !file.includes(`${sep}jiti${sep}`),
    );
    return { path, exports, digest: digestOf(entry, sources, loaded) };
  } catch (error) {
    throw asInputError(error, path, entry, sources);
  } finally {
    for (const file of Object.keys(native)) if (!before.has(file)) delete native[file];
  }
}

async function realPath(path: string): Promise<string> {
  try {
    for await (const _ of fileBytes(path)) break;
  } catch (error) {
    throw error instanceof UnreadableError ? new InputError(path, 0, error.message) : error;
  }
  return realpathSync(resolve(path));
}

/** The packages of this repository, as the command itself has them. */
const OWN = /^(vmbind$|@vmbind\/)/;

/** Loads what it is asked for: jiti waits for what it gets. */
const OWN_MODULES: Record<string, unknown> = new Proxy<Record<string, unknown>>(
  {},
  {
    has: (_, name) => typeof name === "string" && OWN.test(name),
    get: (_, name) => import(String(name)),
  },
);

function digestOf(entry: string, sources: ReadonlyMap<string, string>, loaded: readonly string[]): string {
  const hash = createHash("sha256");
  for (const [file, source] of sources) addFile(hash, entry, file, Buffer.from(source));
  for (const file of loaded) addFile(hash, entry, file, readFileSync(file));
  for (const [file, source] of sources) {
    for (const name of packagesIn(source)) hash.update(`${name} ${versionOf(file, name)}\0`);
  }
  return hash.digest("hex");
}

function addFile(hash: Hash, entry: string, file: string, bytes: Uint8Array): void {
  // Where the module lies says nothing of what it does.
  hash.update(`${relative(dirname(entry), file)} ${bytes.length}\0`).update(bytes);
}

/** Packages of others that a source names. */
function packagesIn(source: string): Set<string> {
  const named = source.matchAll(/\b(?:from|import|require)\s*\(?\s*["']((?:@[\w.-]+\/)?[a-zA-Z][\w.-]*)/g);
  const names = [...named].map(([, name]) => name as string);
  return new Set(names.filter((name) => !OWN.test(name) && !builtinModules.includes(name)));
}

function versionOf(file: string, name: string): string {
  for (const folder of createRequire(file).resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")) as { version: string })
        .version;
    } catch {}
  }
  return "";
}

/** What a load ended with, as one line that names the file to look at. */
function asInputError(
  error: unknown,
  path: string,
  entry: string,
  sources: ReadonlyMap<string, string>,
): InputError {
  const wrong = (file: string, line: number, rule: string): InputError =>
    new InputError(file === entry ? path : besides(path, entry, file), line, rule);
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  const parse = /^ParseError: ([^\n]*?)\s*\n\s*(\S.*):(\d+):(\d+)/.exec(message);
  if (parse) return wrong(String(parse[2]), Number(parse[3]), `${parse[1]}, column ${Number(parse[4]) + 1}`);
  const missing = /^Cannot find (?:module|package) '([^']+)'/.exec(message)?.[1];
  if (missing !== undefined) {
    const importer = [...sources].find(([, source]) => source.includes(missing)) ?? [entry, ""];
    const line = importer[1].split("\n").findIndex((text) => text.includes(missing)) + 1;
    const what = /^[./]/.test(missing) ? "there is no such file" : "there is no such package";
    return wrong(importer[0], line, `import of ${JSON.stringify(missing)}: ${what}`);
  }
  // Where it was thrown, as far as that is the user's.
  const frames = [...stack.matchAll(/\(?((?:file:\/\/)?[^\s()]+):(\d+):\d+\)?/g)];
  for (const [, place = "", line] of frames) {
    const file = place.startsWith("file://") ? fileURLToPath(place) : place;
    if (sources.has(file)) return wrong(file, Number(line), message);
  }
  return wrong(entry, 0, message);
}

/** A file that the module imports, as it lies from where the user named the module. */
function besides(path: string, entry: string, file: string): string {
  return join(dirname(path), relative(dirname(entry), file));
}
