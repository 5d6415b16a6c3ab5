/**
 * What a published manifest has and the one of this repository has not: the shims of live programs are packed by
 * `scripts/pack-shims.mjs` once they are built, so an installation of the workspace must not look for them; and where the repository
 * is, which is said once, in the root's `package.json`.
 */

const { relative, sep } = require("node:path");
const { repository, homepage, bugs } = require("./package.json");

const SHIMS = ["@vmbind/shim-linux-x64", "@vmbind/shim-linux-arm64"];

function beforePacking(manifest, folder) {
  if (manifest.name === "@vmbind/live") {
    manifest.optionalDependencies = Object.fromEntries(SHIMS.map((name) => [name, manifest.version]));
  }
  const directory = relative(__dirname, folder).split(sep).join("/");
  if (repository) manifest.repository = { ...repository, directory };
  if (homepage) manifest.homepage = homepage;
  if (bugs) manifest.bugs = bugs;
  return manifest;
}

module.exports = { hooks: { beforePacking } };
