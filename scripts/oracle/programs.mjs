/**
 * How a program of an unpacked root is run: by the root's own loader with its own libraries, those of arm64 under qemu-user.
 * And how C of this repository is built for both.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OracleError } from "./archive.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const SHIM = join(repository, "packages/live/shim");
const CLIENT = join(repository, "apps/bench/client");

/** What differs from one architecture to the other. */
const TRIPLET = { amd64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };
const GCC_PARTS = ["cc1", "collect2"];
const BINUTILS = ["as", "ld"];

/** Programs of both roots. */
export class Programs {
  #cache;
  #roots;

  /**
   * @param cache - folder that keeps what is built
   * @param roots - architecture -> folder
   */
  constructor(cache, roots) {
    this.#cache = cache;
    this.#roots = roots;
  }

  /** A library of a root, e.g. a Vulkan driver. */
  library(architecture, name) {
    return join(this.#roots[architecture], "usr/lib", TRIPLET[architecture], name);
  }

  /** A program of a root by its path below `/usr`. */
  path(architecture, name) {
    return join(this.#roots[architecture], "usr", name);
  }

  /**
   * The command line that runs a program of an architecture as COMMAND of `vmbind live`.
   *
   * @param program - path of the program
   * @param args - its arguments
   */
  command(architecture, program, args) {
    const root = this.#roots[architecture];
    if (architecture === "amd64") return [...this.#loader(), program, ...args];
    // qemu itself is static and takes no preload; the guest needs a shim of its own architecture.
    const qemu = this.path("amd64", "bin/qemu-aarch64");
    return [qemu, "-L", root, "-E", `LD_PRELOAD=${this.shim("arm64")}`, program, ...args];
  }

  #loader() {
    const root = this.#roots.amd64;
    const libraries = join(root, "usr/lib", TRIPLET.amd64);
    return [join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", libraries];
  }

  /** The Vulkan client, built from source where it has changed. */
  client(architecture) {
    const sources = readdirSync(CLIENT).filter((name) => name.endsWith(".c"));
    return this.#build(architecture, "sparse", CLIENT, sources, ["-ldl"]);
  }

  /** The shim; that of the host's architecture is built by `vmbind live` itself. */
  shim(architecture) {
    return this.#build(architecture, "live.so", SHIM, ["live.c"], ["-shared", "-fPIC", "-ldl", "-lpthread"]);
  }

  #build(architecture, name, folder, sources, flags) {
    const digest = createHash("sha256").update(`${flags}`);
    for (const file of readdirSync(folder)) digest.update(readFileSync(join(folder, file)));
    const out = join(this.#cache, "built", architecture, digest.digest("hex").slice(0, 16));
    const file = join(out, name);
    if (existsSync(file)) return file;
    mkdirSync(out, { recursive: true });
    const compiler = architecture === "amd64" ? this.#hostCompiler() : this.#crossCompiler();
    const args = [
      ...sources.map((source) => join(folder, source)),
      "-o",
      file,
      "-std=gnu11",
      "-O2",
      ...flags,
    ];
    // The headers of Vulkan and nothing else: the system's own come first.
    const headers = ["-idirafter", join(this.#roots.amd64, "usr/include")];
    try {
      execFileSync(compiler[0], [...compiler.slice(1), ...headers, ...args], { stdio: "pipe" });
    } catch (error) {
      throw new OracleError(`${name} for ${architecture} cannot be built:\n${error.stderr ?? error.message}`);
    }
    return file;
  }

  #hostCompiler() {
    const { CC } = process.env;
    const compiler = CC || "cc";
    try {
      execFileSync(compiler, ["--version"], { stdio: "ignore" });
    } catch {
      throw new OracleError(`there is no C compiler "${compiler}": apt install gcc libc6-dev, or set CC`);
    }
    return [compiler];
  }

  /** Debian's cross compiler. Its parts need sid's libraries, so each is called through a script by the root's loader. */
  #crossCompiler() {
    const root = this.#roots.amd64;
    const versions = readdirSync(join(root, "usr/lib/gcc-cross", TRIPLET.arm64));
    const [version] = versions.sort((a, b) => Number(b) - Number(a));
    const scripts = join(this.#cache, "built/cross");
    mkdirSync(scripts, { recursive: true });
    const parts = new Map([
      ...GCC_PARTS.map((name) => [name, `libexec/gcc-cross/${TRIPLET.arm64}/${version}/${name}`]),
      ...BINUTILS.map((name) => [name, `bin/${TRIPLET.arm64}-${name}`]),
    ]);
    for (const [name, path] of parts) {
      const script = join(scripts, name);
      const quoted = [...this.#loader(), this.path("amd64", path)].map((word) => `'${word}'`).join(" ");
      writeFileSync(script, `#!/bin/sh\nexec ${quoted} "$@"\n`);
      chmodSync(script, 0o755);
    }
    const own = join(root, "usr/lib/gcc-cross", TRIPLET.arm64, version);
    return [
      ...this.#loader(),
      this.path("amd64", `bin/${TRIPLET.arm64}-gcc`),
      `-B${scripts}/`,
      `-B${own}/`,
      `--sysroot=${this.#roots.arm64}`,
      "-isystem",
      join(own, "include"),
      "-fno-use-linker-plugin",
    ];
  }
}
