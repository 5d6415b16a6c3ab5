/** Who may depend on whom: the one table of the house. What package.json lists, and what sources import, is held against it. */
import { describe, expect, test } from "vitest";
import { DRIVERS, exists, filesIn, PACKAGES, read } from "./house.ts";

const BELOW_DRIVERS = ["drm", "gpuvm-core", "mmu"];

/** Our own packages that a package may depend on. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  mmu: [],
  drm: [],
  "gpuvm-core": ["drm"],
  ...Object.fromEntries(DRIVERS.map((driver) => [driver, BELOW_DRIVERS])),
  trace: ["drm", "mmu"],
  lab: [...BELOW_DRIVERS, ...DRIVERS, "trace"],
  live: ["drm", "mmu", ...DRIVERS, "trace"],
  "driver-laws": [...BELOW_DRIVERS, ...DRIVERS, "trace"],
};

/** Packages of others; every other package has none. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = { lab: ["valibot"] };

/** Dependencies that are on their way out. To be emptied. */
const PENDING: Readonly<Record<string, readonly string[]>> = {};

interface PackageJson {
  dependencies?: Record<string, string>;
}

describe.each(PACKAGES)("packages/%s", (name) => {
  const ours = [...(MAY_IMPORT[name] ?? []), ...(PENDING[name] ?? [])].map((other) => `@vmbind/${other}`);
  const json: PackageJson = JSON.parse(read(`packages/${name}/package.json`));
  const dependencies = Object.keys(json.dependencies ?? {});
  const sources = exists(`packages/${name}/src`) ? filesIn(`packages/${name}/src`) : [];

  test("is in the table", () => expect(Object.keys(MAY_IMPORT)).toContain(name));

  test("depends on nothing but what the table allows", () => {
    const allowed = [...ours, ...(OUTSIDE[name] ?? [])];
    expect(dependencies.filter((dependency) => !allowed.includes(dependency))).toEqual([]);
  });

  test("has no exception left that it does not use", () => {
    const unused = (PENDING[name] ?? []).filter((other) => !dependencies.includes(`@vmbind/${other}`));
    expect(unused).toEqual([]);
  });

  test("imports no other package of ours", () => {
    // A driver's trace.ts describes itself with types of `trace`; rooms.test.ts looks at how.
    const lens = DRIVERS.includes(name) ? [`packages/${name}/src/trace.ts`] : [];
    const wrong = sources
      .filter((path) => !lens.includes(path))
      .flatMap((path) =>
        [...read(path).matchAll(/^(?:import|export)[^;]*?from "(@vmbind\/[\w-]+)[^"]*";/gm)].map(
          ([, other]) => [path, other],
        ),
      )
      .filter(([, other]) => !ours.includes(other as string));
    expect(wrong).toEqual([]);
  });
});
