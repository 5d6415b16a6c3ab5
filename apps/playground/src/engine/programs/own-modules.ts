/**
 * The packages that a text may import, by the names under which they are published. They are those of this engine: a class that a text
 * extends is the one that the models are made of. Which there are is found on disk by the build, so that a new driver needs no line here.
 */

type Load = () => Promise<unknown>;

// What is left out is of a Node.js process: a page has no use for it.
const PACKAGES = import.meta.glob([
  "../../../../../packages/*/src/index.ts",
  "!../../../../../packages/live/**",
]);
const PROPOSALS = import.meta.glob("../../../../../packages/lab/src/drivers/*/proposal.ts");

const OWN: ReadonlyMap<string, Load> = new Map<string, Load>([
  ...named(PACKAGES, "@vmbind/", -3),
  ...named(PROPOSALS, "@vmbind/lab/", -2),
]);

function named(found: Record<string, Load>, prefix: string, at: number): [string, Load][] {
  return Object.entries(found).map(([path, load]) => [prefix + path.split("/").at(at), load]);
}

/**
 * Load what a text imports.
 *
 * @param names - as they stand in its imports
 * @returns what it is given for each of them
 * @throws RangeError for a name that is none of these packages
 */
export async function loadOwnModules(names: readonly string[]): Promise<(name: string) => unknown> {
  const loaded = new Map<string, unknown>();
  for (const name of names) {
    const load = OWN.get(name);
    if (load === undefined) {
      throw new RangeError(`cannot import ${JSON.stringify(name)}; there are ${[...OWN.keys()].join(", ")}`);
    }
    loaded.set(name, await load());
  }
  return (name) => loaded.get(name);
}
