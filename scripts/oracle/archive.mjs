/**
 * Programs of Debian sid, unpacked into a cache folder and never installed: the user-space drivers and tests that the
 * oracle runs. apt resolves and fetches them with a state of its own (no package counts as installed, so even the C library
 * comes along), dpkg-deb unpacks them. The system's own packages, lists and configuration stay as they are.
 *
 *   CACHE/apt             lists, downloaded packages, the one source
 *   CACHE/amd64, /arm64   what a root file system of that architecture would hold; `unpacked` names the packages in it
 */

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What each architecture needs; everything else follows from the packages' dependencies. */
const PACKAGES = {
  amd64: [
    "igt-gpu-tools-tests",
    "mesa-vulkan-drivers",
    "vulkan-tools",
    "libvulkan-dev", // headers for the client
    "libc6-dev",
    "qemu-user", // a static program: runs arm64's
    "gcc-aarch64-linux-gnu", // builds the client and the shim for arm64
  ],
  arm64: ["mesa-vulkan-drivers", "libc6-dev"],
};

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A cause that the user can do something about: said without a stack trace. */
export class OracleError extends Error {}

/** The archive that this machine's apt is set up with. */
function configuredArchive() {
  const format = "$(ORIGIN) $(REPO_URI) $(SITE)";
  const targets = spawnSync("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], {
    encoding: "utf8",
  });
  if (targets.error) {
    throw new OracleError(
      "apt-get is missing: the oracle takes its programs from Debian's archive, on Debian or a child of it",
    );
  }
  for (const line of targets.stdout.split("\n")) {
    const [origin, uri] = line.split(" ");
    if (origin === "Debian" && !uri.includes("-security")) return uri;
  }
  throw new OracleError(
    "apt has no list of a Debian archive: run apt-get update once, or name an archive with --archive URI",
  );
}

/** apt with its state, cache and sources in `folder`, seeing no package as installed. */
function privateApt(folder, architecture) {
  const path = (name) => join(folder, name);
  const options = {
    "Dir::State": path("state"),
    "Dir::State::status": path("status"),
    "Dir::Cache": path("cache"),
    "Dir::Etc::SourceList": "/dev/null",
    "Dir::Etc::SourceParts": path("sources"),
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root", // the cache may lie where the user _apt cannot go
    "Acquire::Languages": "none",
    "Debug::NoLocking": "true",
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return (...args) => {
    const { status, stdout, stderr } = spawnSync("apt-get", [...flags, ...args], { encoding: "utf8" });
    if (status !== 0) throw new OracleError(`apt-get ${args[0]} failed:\n${stderr.trim()}`);
    return stdout;
  };
}

/**
 * The root of an architecture, unpacked on first use.
 *
 * @param cache - the folder that keeps everything
 * @param architecture - `amd64` or `arm64`
 * @param options - `archive`: its address, else the configured one; `update`: look for newer packages; `say`: progress
 * @returns `root`: its folder, `versions`: package name -> version
 */
export function unpack(cache, architecture, { archive, update = false, say = () => {} } = {}) {
  const root = join(cache, architecture);
  const list = join(root, "unpacked");
  if (update || !existsSync(list))
    fetchAndUnpack(cache, architecture, root, archive ?? configuredArchive(), say);
  const versions = Object.fromEntries(
    readFileSync(list, "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" ")),
  );
  return { root, versions };
}

function fetchAndUnpack(cache, architecture, root, archive, say) {
  const folder = join(cache, "apt", architecture);
  for (const part of ["state/lists/partial", "cache/archives/partial", "sources"]) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, "status"), "");
  const signed = existsSync(KEYRING) ? `Signed-By: ${KEYRING}\n` : "";
  writeFileSync(
    join(folder, "sources/sid.sources"),
    `Types: deb\nURIs: ${archive}\nSuites: sid\nComponents: main\nArchitectures: ${architecture}\n${signed}`,
  );
  const apt = privateApt(folder, architecture);
  say(`${architecture}: reads the archive's lists`);
  apt("update");
  const archives = join(folder, "cache/archives");
  say(`${architecture}: fetches ${PACKAGES[architecture].join(", ")} and what they need`);
  apt("install", "--yes", "--download-only", ...PACKAGES[architecture]);
  // A root that is half unpacked never gets its name.
  const fresh = `${root}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  // Since the merge of / and /usr some packages carry /lib, others /usr/lib.
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    mkdirSync(join(fresh, "usr", name), { recursive: true });
    execFileSync("ln", ["-s", `usr/${name}`, join(fresh, name)]);
  }
  const files = readdirSync(archives).filter((name) => name.endsWith(".deb"));
  say(`${architecture}: unpacks ${files.length} packages`);
  const lines = files.map((name) => {
    const deb = join(archives, name);
    // tar keeps the links of the root as they are where a package brings a folder of that name.
    execFileSync("sh", [
      "-c",
      'dpkg-deb --fsys-tarfile "$1" | tar -x --no-same-owner --keep-directory-symlink -C "$2"',
      "sh",
      deb,
      fresh,
    ]);
    const [, pkg, version] = /^([^_]+)_([^_]+)_/.exec(name);
    return `${pkg} ${decodeURIComponent(version)}`;
  });
  writeFileSync(join(fresh, "unpacked"), `${lines.join("\n")}\n`);
  rmSync(root, { recursive: true, force: true });
  renameSync(fresh, root);
  rmSync(join(folder, "cache"), { recursive: true, force: true });
}
