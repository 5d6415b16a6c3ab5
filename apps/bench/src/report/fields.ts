/**
 * From a path of the page's JSON to what is said of it, and all that is said as Markdown.
 *
 * @module
 */

import type { FieldGroup, FieldMethod } from "./field.ts";
import { FIELD_GROUPS } from "./field-groups.ts";

/**
 * Find the group that a path of the JSON belongs to.
 *
 * @param path - names and indices joined by dots, e.g. `lab.costs.0.total.bindOps`
 * @returns the group and the field
 * @param groups - of the page; the report's unless told
 * @throws Error when the table has no sentence for it: a number that nobody explains must not be shown
 */
export function fieldAt(
  path: string,
  groups: readonly FieldGroup[] = FIELD_GROUPS,
): { group: FieldGroup; name: string; field: FieldMethod } {
  const parts = path.split(".");
  for (const group of groups) {
    if (!group.paths.some((pattern) => matches(pattern.split("."), parts))) continue;
    const name = group.nameOf?.(parts) ?? (parts.at(-1) as string);
    const field = group.fields[name];
    if (field) return { group, name, field };
  }
  throw new Error(`fields.ts has no sentence for ${path}`);
}

/**
 * @param groups - of the report
 * @returns the table as Markdown, for the documentation
 */
export function methodsMarkdown(groups: readonly FieldGroup[]): string {
  const lines = [
    "# How it is counted",
    "",
    "Every number of the report has a field of the same name in the page's JSON, and in what",
    "`vmbind compare --json` prints. This is how each one comes about. Counts grow and",
    "are those of a stretch of the run; `...Live` is a level at its end, `...Peak` the highest since the device was opened.",
    "Nothing is estimated and nothing is timed, but what the groups of measurements and of time say. Generated from `apps/bench/src/report/field-groups.ts`.",
  ];
  for (const { title, paths, fields } of groups) {
    lines.push("", `## ${title}`, "", `In the JSON: ${paths.map((p) => `\`${p}\``).join(", ")}.`, "");
    lines.push("| field | title | unit | how it is counted |", "|---|---|---|---|");
    for (const [name, { title: short, unit, how }] of Object.entries(fields)) {
      lines.push(`| \`${name}\` | ${short} | ${unit} | ${how} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function matches(pattern: readonly string[], parts: readonly string[]): boolean {
  return pattern.length === parts.length && pattern.every((p, i) => p === "*" || p === parts[i]);
}
