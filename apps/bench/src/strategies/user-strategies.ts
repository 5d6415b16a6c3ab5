/**
 * Strategies of users: modules that are given in place of a name.
 *
 * @module
 */

import {
  blamed,
  inTable,
  Proposal,
  RefusedError,
  type SparseStrategy,
  type StrategyFinder,
  type StrategyModule,
} from "@vmbind/lab";
import { InputError, valueInWords } from "@vmbind/trace";
import { loadModule } from "../files/user-module.ts";

/** What a module has to export. */
const EXPECTED = "expected a strategy, as the functions of @vmbind/lab/DRIVER make it, or a list of them";

/** Modules that this thread has loaded, by digest. */
const loaded = new Map<string, Promise<readonly Proposal[]>>();

/**
 * Load the strategies of a module, and measure what they do not say of themselves.
 *
 * @param path - of the module, whose default export is a strategy or a list of them
 * @param before - how many other modules were loaded, for colours
 * @throws InputError naming the module and what is wrong with it
 */
export async function strategiesOf(path: string, before = 0): Promise<SparseStrategy[]> {
  const { exports, digest } = await loadModule(path);
  const proposals = proposalsIn(path, exports["default"]);
  loaded.set(digest, Promise.resolve(proposals));
  const found: SparseStrategy[] = [];
  for (const [i, proposal] of proposals.entries()) {
    const { name } = proposal.words;
    if (found.some((other) => other.name === name)) {
      throw new InputError(path, 0, `default[${i}].name: ${name} is there twice`);
    }
    try {
      found.push(await proposal.strategy(before + i, { path, digest }));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw blamed(error, path, name);
      throw new InputError(path, 0, `${name}: creating a resource: ${error.message}`);
    }
  }
  return found;
}

/** Finds rows of the table, and strategies of modules, also on a thread that has not loaded them yet. */
export const findStrategy: StrategyFinder = async (ref) => {
  if (!ref.module) return inTable(ref);
  const { path, digest, estimate } = ref.module;
  let proposals = loaded.get(digest);
  if (!proposals) {
    proposals = proposalsAgain(ref.module);
    loaded.set(digest, proposals);
  }
  const proposal = (await proposals).find(({ words }) => words.name === ref.name);
  if (!proposal) throw new InputError(path, 0, `there is no ${ref.name} in it any more`);
  return proposal.strategy(0, { path, digest }, estimate);
};

async function proposalsAgain({ path, digest }: StrategyModule): Promise<readonly Proposal[]> {
  const again = await loadModule(path);
  if (again.digest !== digest) throw new InputError(path, 0, "it was changed while it was in use");
  return proposalsIn(path, again.exports["default"]);
}

function proposalsIn(path: string, value: unknown): readonly Proposal[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new InputError(path, 0, `default: ${EXPECTED}; got an empty list`);
  return list.map((item, i) => {
    if (item instanceof Proposal) return item;
    const place = Array.isArray(value) ? `default[${i}]` : "default";
    throw new InputError(path, 0, `${place}: ${EXPECTED}; got ${valueInWords(item)}`);
  });
}
