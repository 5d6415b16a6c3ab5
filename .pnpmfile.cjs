/**
 * What a published manifest has and the one of this repository has not: the shims of live programs are packed by
 * `scripts/pack-shims.mjs` once they are built, so an installation of the workspace must not look for them.
 */

const SHIMS = ["@vmbind/shim-linux-x64", "@vmbind/shim-linux-arm64"];

function beforePacking(manifest) {
  if (manifest.name === "@vmbind/live") {
    manifest.optionalDependencies = Object.fromEntries(SHIMS.map((name) => [name, manifest.version]));
  }
  return manifest;
}

module.exports = { hooks: { beforePacking } };
