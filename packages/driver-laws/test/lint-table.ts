/** The page that says what the linter finds in each recording. */

import { type LintFinding, RULES, type Severity } from "@vmbind/trace";

const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

/** `docs/lint-recordings.md` */
export function lintTable(found: ReadonlyMap<string, readonly LintFinding[]>): string {
  const all = [...found.values()].flat();
  const counts = RULES.map(({ id }) => {
    const names = [...found].filter(([, findings]) => findings.some(({ rule }) => rule === id)).length;
    const sum = SEVERITIES.map(
      (severity) => all.filter((one) => one.rule === id && one.severity === severity).length,
    );
    return `| [\`${id}\`](lint-rules.md#${id}) | ${names} | ${sum.join(" | ")} |`;
  });
  const rows = [...found].map(([name, findings]) => {
    const cells = SEVERITIES.map((severity) => rulesOf(findings.filter((one) => one.severity === severity)));
    return `| \`${name}\` | ${cells.join(" | ")} |`;
  });
  return `# What the linter says of the recordings

Real drivers and tests, recorded; made by the test that replays them all. \`vmbind lint NAME\` tells each finding whole.

What is wrong: hk forgets the mirror of each sparse resource that it destroys (\`view-left-behind\`). igt's tests leave mappings to VM_DESTROY on
purpose, and map over what is mapped (\`leak-at-destroy\`, \`mapped-over\`, \`overlap-in-array\`). The client of \`buffer-1526\` binds the first
megabyte of its pool at two places (\`page-bound-twice\`).

What costs: anv's 8 GiB of NULL are a reserve that lives as long as its VM. radv keeps every buffer at two addresses from GFX10 on, writable at both
(\`second-view\`), and fills one of them window by window (\`filler-by-repetition\`), as panvk does on kernels without MAP_SPARSE. turnip, nvk and hk send rows of tiles
that one operation would bind (\`unjoined-operations\`). Applications' unbinds of what is not bound (\`redundant-operation\`) and blocks that stay shattered
are in every random stream. xe writes more entries for an array than its tables have (\`array-writes-twice\`).

## By rule

| rule | recordings | errors | warnings | notes |
|---|---:|---:|---:|---:|
${counts.join("\n")}

## By recording

| recording | errors | warnings | notes |
|---|---|---|---|
${rows.join("\n")}
`;
}

/** Rules by name, each with how often it speaks. */
function rulesOf(findings: readonly LintFinding[]): string {
  const counts = new Map<string, number>();
  for (const { rule } of findings) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return [...counts].map(([rule, count]) => (count > 1 ? `${rule} (${count})` : rule)).join(", ");
}
