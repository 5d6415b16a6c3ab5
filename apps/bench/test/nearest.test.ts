import { expect, it } from "vitest";
import { nearestName, noSuchName } from "../src/text/nearest.ts";

const NAMES = ["verify", "replay", "explain", "explore", "compare", "completion"];

it.each([
  ["comapre", "compare"],
  ["replya", "replay"],
  ["verfy", "verify"],
  ["explaim", "explain"],
  ["COMPARE", "compare"],
  ["compl", "completion"],
  ["ver", "verify"],
])("%s means %s", (word, name) => expect(nearestName(word, NAMES)).toBe(name));

it.each(["", "x", "frobnicate", "zzzzzzzzzzzzzz"])("%j is like nothing", (word) => {
  expect(nearestName(word, NAMES)).toBeNull();
});

it("lists the names where none is near", () => {
  expect(
    noSuchName(
      "shell",
      "powershell",
      new Map([
        ["bash", 1],
        ["zsh", 2],
      ]).keys(),
    ),
  ).toBe('no shell "powershell"; there are bash, zsh');
});
