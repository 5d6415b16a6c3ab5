/** What every source file keeps to: it says first what it teaches, has a name of the field, and a length one can read. */
import { expect, test } from "vitest";
import { exists, filesIn, PACKAGES, read } from "./house.ts";

const LINES_MAX = 400;

/** Longer ones, and how long they may be. To shrink. */
const LONGER: Readonly<Record<string, number>> = {};

/** A package of laws is nothing but tests, so these are its sources. */
const FOLDERS = PACKAGES.map((name) => `packages/${name}/${exists(`packages/${name}/src`) ? "src" : "test"}`);
const SOURCES = [...FOLDERS, "apps/bench/src", "apps/playground/src"].flatMap(filesIn);

test(`no file is longer than ${LINES_MAX} lines, but for those named`, () => {
  const lengths = SOURCES.map((path) => [path, read(path).split("\n").length - 1] as const);
  const long = lengths.filter(([path, lines]) => lines > (LONGER[path] ?? LINES_MAX));
  expect(long).toEqual([]);
  const shrunk = lengths
    .filter(([path, lines]) => path in LONGER && lines <= LINES_MAX)
    .map(([path]) => path);
  expect(shrunk, "no longer too long: take them off the list").toEqual([]);
});

test("a file begins with what it is about", () => {
  expect(
    SOURCES.filter((path) => /\.tsx?$/.test(path) && !/^(#!.*\n|\/\/\/ .*\n)?\/\*\*/.test(read(path))),
  ).toEqual([]);
});

test("nothing is called utils, helpers, common or misc", () => {
  expect(SOURCES.filter((path) => /(^|[/-])(utils?|helpers?|common|misc)[./-]/.test(path))).toEqual([]);
});
