/**
 * What `changeset version` writes into a CHANGELOG: the text of each changeset, and one line for all that a package needs anew. The
 * tool's own lines name the commits that changesets came with, one more for each dependency and changeset, which tell a reader nothing.
 */

async function getReleaseLine({ summary }) {
  return `- ${summary.trim().replaceAll("\n", "\n  ")}`;
}

async function getDependencyReleaseLine(_changesets, updated) {
  if (updated.length === 0) return "";
  return `- Needs ${updated.map(({ name, newVersion }) => `${name} ${newVersion}`).join(", ")}`;
}

module.exports = { getReleaseLine, getDependencyReleaseLine };
