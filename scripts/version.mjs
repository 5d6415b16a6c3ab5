/**
 * `changeset version`, for packages with an optional peer: turns what is in `.changeset` into versions and changelogs.
 *
 *   npx -y pnpm@10.34.8 release:version
 *
 * A driver has `@vmbind/trace` as an optional peer, for the types of its lens. Changesets takes a new minor of a peer for a break of
 * whoever has it, and would make each driver 1.0.0 for that. So peers are put aside meanwhile; `workspace:^` needs no new range.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packages, root } from "./published.mjs";

const peers = new Map(
  packages
    .filter(({ json }) => json.peerDependencies !== undefined)
    .map(({ dir, json }) => [join(dir, "package.json"), json.peerDependencies]),
);

function rewrite(path, change) {
  const json = JSON.parse(readFileSync(path, "utf8"));
  change(json);
  writeFileSync(path, `${JSON.stringify(json, null, 2)}\n`);
}

for (const path of peers.keys()) {
  rewrite(path, (json) => {
    json.peerDependencies = {};
  });
}
try {
  execFileSync(join(root, "node_modules/.bin/changeset"), ["version"], { cwd: root, stdio: "inherit" });
} finally {
  for (const [path, peerDependencies] of peers)
    rewrite(path, (json) => Object.assign(json, { peerDependencies }));
}
