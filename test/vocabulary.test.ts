/** What docs/vocabulary.md says is declared somewhere is declared there, and under one name only once. */
import { expect, test } from "vitest";
import { filesIn, read } from "./house.ts";

const ROWS = read("docs/vocabulary.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| word"))
  .map((line) => line.split(" | "));

/** Sources of a package, or of its sub-entry, in one text. */
function sources(place: string): string {
  const [name, entry] = place.split("/");
  return filesIn(`packages/${name}/src${entry === undefined ? "" : `/${entry}`}`)
    .map(read)
    .join("\n");
}

const DECLARED = ROWS.flatMap(([word, , code]) =>
  [...(code ?? "").matchAll(/`(\w+)` \(([^)]+)\)/g)].flatMap(([, name, places]) =>
    (places ?? "").split(", ").map((place) => ({ word, name, place })),
  ),
);

test.each(DECLARED)("$word: $name is declared in $place", ({ name, place }) => {
  expect(sources(place)).toMatch(
    new RegExp(`^export (abstract )?(class|interface|type|const|function) ${name}\\b`, "m"),
  );
});

test("a word is explained once", () => {
  const words = ROWS.flatMap(([word]) => (word ?? "").slice(2).split(", "));
  expect(new Set(words).size).toBe(words.length);
  expect(words.length).toBeGreaterThan(30);
});
