/** Every rule speaks on its bad example, and on its good one nobody says anything as bad. */
import { expect, test } from "vitest";
import { lintExample, RULES, type Severity } from "../src/index.ts";

const RANK: Record<Severity, number> = { error: 2, warning: 1, note: 0 };

test.each(RULES)("$id speaks on its bad example, with place, cause and advice", (rule) => {
  const said = lintExample(rule.examples.bad, RULES).filter((finding) => finding.rule === rule.id);
  expect(said).not.toEqual([]);
  for (const finding of said) {
    expect(finding.at.ioctl).not.toBe("");
    expect(finding.text).not.toMatch(/undefined|NaN|\[object/);
    expect(finding.advice).not.toBe("");
  }
});

test.each(RULES)("nobody says anything as bad of the good example of $id", (rule) => {
  const said = lintExample(rule.examples.good, RULES);
  const bad = said.filter(({ severity }) => RANK[severity] >= RANK[rule.severity]);
  expect(bad.map(({ rule: id, text }) => `${id}: ${text}`)).toEqual([]);
});

test("rules have names of their own in kebab-case, and are documented in sentences", () => {
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
  for (const { id, title, what, why, advice } of RULES) {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)+$/);
    for (const text of [what, why]) expect(text, id).toMatch(/^[A-Z].*[.]$/s);
    for (const text of [title, advice]) expect(text, id).not.toMatch(/[.]$/);
  }
});
