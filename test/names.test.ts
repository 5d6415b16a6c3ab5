/**
 * A driver or a strategy is one place: outside its package, its folders in `lab`, `live` and `bench`, and the tables, no code spells
 * the name of a driver, of a user-mode driver or of a strategy. Comments may: they say where a fact is from.
 */
import { expect, test } from "vitest";
import { DRIVERS, exists, filesIn, PACKAGES, read } from "./house.ts";

/** Drivers, and what Mesa calls the drivers above them; strategies begin with their driver's name. */
const NAMES = [
  /panthor|asahi|nouveau|panvk|honeykrisp|turnip|amdgpu|radv/i,
  /(?<![a-z0-9])(xe|hk|anv|msm|nvk)(?![a-z])/i,
  /(?<![A-Za-z])(Xe|Hk|Anv|Msm|Nvk)(?=[A-Z])/,
];

/** Where they are spelled: the tables. */
const TABLES = [
  "packages/lab/src/drivers.ts",
  "packages/live/src/drivers/table.ts",
  "packages/lab/src/strategy/table.ts",
  "apps/bench/src/drivers/table.ts",
];

/** The code of a file: comments are gone, strings stay. */
function codeOf(path: string): string {
  return read(path).replace(
    /("(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, text = "") => text,
  );
}

test("no code outside a driver's places spells its name", () => {
  const places = [
    ...DRIVERS.flatMap((driver) => [
      `packages/lab/src/drivers/${driver}/`,
      `packages/live/src/drivers/${driver}/`,
      `apps/bench/src/drivers/${driver}/`,
    ]),
  ];
  const folders = PACKAGES.filter((name) => !DRIVERS.includes(name) && name !== "driver-laws").map(
    (name) => `packages/${name}/src`,
  );
  const offenders = [...folders, "apps/bench/src", "apps/playground/src"]
    .flatMap(filesIn)
    .filter((path) => !TABLES.includes(path) && !places.some((place) => path.startsWith(place)))
    .filter((path) => NAMES.some((name) => name.test(codeOf(path))));
  expect(offenders).toEqual([]);
});

test("the tables are where this test thinks they are", () => {
  expect(TABLES.filter((path) => !exists(path))).toEqual([]);
});
