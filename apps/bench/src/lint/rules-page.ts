/**
 * The page of the linter's rules, made from the rules themselves.
 *
 * @module
 */

import { type LintRule, RULES, type RuleCategory } from "@vmbind/trace";

const CATEGORIES: readonly (readonly [RuleCategory, string])[] = [
  ["correctness", "What the GPU sees"],
  ["lifetime", "What lives how long"],
  ["cost", "What it costs"],
];

/** @returns `docs/lint-rules.md` */
export function lintRulesPage(): string {
  const sections = CATEGORIES.map(([category, title]) => {
    const rules = RULES.filter((rule) => rule.category === category);
    return `## ${title}\n\n${rules.map(ruleText).join("\n")}`;
  });
  return `# The rules of the linter

\`vmbind lint TRACE\` replays a trace and asks these rules; \`vmbind live --lint\` asks them of a program that runs on a model. This page is made from the
rules, which stand one a file in \`packages/trace/src/lint/rules\`; a test runs every example. What the rules say of the recordings that ship
is in [lint-recordings.md](lint-recordings.md).

An **error** reads or loses memory, or is refused by the driver. A **warning** costs time or memory for nothing. A **note** is worth knowing.
The exit status is 1 with an error, 0 with warnings and notes only, 2 where a trace cannot be read. What follows from a cause is counted at the
cause ("folded"), and not told again.

The examples are traces in a few words, on no driver in particular. \`sparse\` and \`unbind\` say that nothing is bound in a range,
\`bind\` binds memory in a sparse resource, \`map\` maps an object at an address of its own, \`filler\` a window that stands for nothing.
The indented lines under \`call\` are one VM_BIND. A resource is named \`buffer#1\` or \`image#1\` where the marks of a trace say what it is, else \`resource#1\`.

| rule | says | severity |
|---|---|---|
${RULES.map(({ id, title, severity }) => `| [\`${id}\`](#${id}) | ${title} | ${severity} |`).join("\n")}

${sections.join("\n")}`;
}

function ruleText({ id, title, severity, what, why, advice, examples }: LintRule): string {
  return `### ${id}

**${title[0]?.toUpperCase()}${title.slice(1)}** (${severity}). ${what}

*Why*: ${why}

*What to do*: ${advice}.

Wrong:

\`\`\`
${examples.bad.trim()}
\`\`\`

Right:

\`\`\`
${examples.good.trim()}
\`\`\`
`;
}
