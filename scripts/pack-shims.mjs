/**
 * The shim of live programs for those who have no C compiler: builds it for each platform and packs one npm package of each,
 * `@vmbind/shim-linux-x64` and `@vmbind/shim-linux-arm64`. `@vmbind/live` takes the one of its platform where it is installed. No
 * binary is committed; a release publishes the packages before `@vmbind/live`, whose packed manifest names them as optional dependencies
 * (`.pnpmfile.cjs`).
 *
 *   node scripts/pack-shims.mjs [FOLDER]      default: shims/ here
 *
 * Needs a compiler for each platform (Debian: gcc gcc-aarch64-linux-gnu, on x86-64); says which one is missing, and packs the others.
 */

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const live = join(root, "packages/live");
const { version, license, engines } = JSON.parse(readFileSync(join(live, "package.json"), "utf8"));
const out = resolve(process.argv[2] ?? "shims");

/** Compilers as Debian calls them; for the platform that this runs on `cc` will do. */
const PLATFORMS = [
  { cpu: "x64", compilers: ["x86_64-linux-gnu-gcc"] },
  { cpu: "arm64", compilers: ["aarch64-linux-gnu-gcc"] },
];
const FLAGS = ["-O2", "-shared", "-fPIC", "-Wall", "-s", "-ldl", "-lpthread"];

function compilerOf({ cpu, compilers }) {
  const all = cpu === process.arch ? ["cc", ...compilers] : compilers;
  return all.find((name) => {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}

for (const platform of PLATFORMS) {
  const { cpu, compilers } = platform;
  const compiler = compilerOf(platform);
  if (compiler === undefined) {
    console.error(`pack-shims: no compiler for ${cpu}: ${compilers.join(" or ")}`);
    process.exitCode = 1;
    continue;
  }
  const name = `@vmbind/shim-linux-${cpu}`;
  const folder = join(out, `shim-linux-${cpu}`);
  mkdirSync(folder, { recursive: true });
  for (const kind of ["live", "record"]) {
    execFileSync(compiler, [join(live, "shim", `${kind}.c`), "-o", join(folder, `${kind}.so`), ...FLAGS], {
      stdio: "inherit",
    });
  }
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  const description = `The preload shim of @vmbind/live, built for Linux with glibc on ${cpu}`;
  const files = ["live.so", "record.so"];
  const manifest = {
    name,
    version,
    description,
    license,
    engines,
    os: ["linux"],
    cpu: [cpu],
    libc: ["glibc"],
    files,
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    join(folder, "README.md"),
    `# ${name}\n\n${description}. Its source is \`shim/\` of \`@vmbind/live\`, which uses it where it is installed.\n`,
  );
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", out], {
    cwd: folder,
    encoding: "utf8",
  });
  console.log(join(out, packed.trim()));
}
