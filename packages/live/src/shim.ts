/**
 * The shim's file: built by the C compiler on first use and kept in a folder for caches, or taken from a package for this
 * platform where one is installed.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** Which shim: in front of a model, or in front of a real driver. */
export type ShimKind = "live" | "record";

/** As installed: the code itself may stand in a bundle. */
const MANIFEST = createRequire(import.meta.url).resolve("@vmbind/live/package.json");
const SOURCES = join(dirname(MANIFEST), "shim");
const FLAGS = ["-O2", "-shared", "-fPIC", "-Wall", "-ldl", "-lpthread"];

/** There is no shim, and why. What it says is for the user. */
export class NoShim extends Error {
  /** `NoShim`, as stack traces print it. */
  override readonly name: string = "NoShim";
}

/** Where the C sources of the shim are. */
export function shimSources(): string {
  return SOURCES;
}

/**
 * @param kind - which shim
 * @param cache - folder to keep it in
 * @param compiler - a C compiler; `CC` of the environment, or `cc`, unless given
 * @returns path of a shared library for LD_PRELOAD
 * @throws NoShim where there is neither a package nor a compiler, and outside of Linux
 */
export async function shimFile(
  kind: ShimKind,
  cache: string,
  compiler: string = process.env["CC"] || "cc",
): Promise<string> {
  const given = process.env["VMBIND_SHIM"];
  if (given) return join(given, `${kind}.so`);
  if (process.platform !== "linux")
    throw new NoShim("it preloads a library into Linux programs, and this is no Linux");
  const packed = packedShim(kind);
  if (packed !== null) return packed;
  const digest = createHash("sha256");
  for (const name of ["wire.h", `${kind}.c`]) digest.update(readFileSync(join(SOURCES, name)));
  digest.update(`${compiler} ${FLAGS.join(" ")} ${process.arch}`);
  const file = join(cache, "shim", `${kind}-${digest.digest("hex").slice(0, 16)}.so`);
  if (existsSync(file)) return file;
  mkdirSync(join(cache, "shim"), { recursive: true });
  const fresh = `${file}.${process.pid}`;
  try {
    await promisify(execFile)(compiler, [join(SOURCES, `${kind}.c`), "-o", fresh, ...FLAGS]);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw new NoShim(reasonOf(error, compiler), { cause: error });
  }
  return file;
}

function packedShim(kind: ShimKind): string | null {
  try {
    return createRequire(MANIFEST).resolve(`@vmbind/shim-linux-${process.arch}/${kind}.so`);
  } catch {
    return null;
  }
}

function reasonOf(error: unknown, compiler: string): string {
  const { code, stderr } = error as { code?: unknown; stderr?: unknown };
  if (code === "ENOENT") {
    return (
      `its shim is 500 lines of C, and there is no compiler "${compiler}": install gcc or clang (Debian: apt install gcc libc6-dev), ` +
      "or set CC"
    );
  }
  const first =
    typeof stderr === "string" ? stderr.split("\n").find((line) => line.includes("error")) : undefined;
  return `${compiler} cannot build its shim${first === undefined ? "" : `: ${first.trim()}`}`;
}
