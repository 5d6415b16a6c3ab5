/**
 * `vmbind strategies`: the names that `--strategy` takes.
 *
 * @module
 */

import { SPARSE_STRATEGIES } from "@vmbind/lab/strategies";
import type { CommandInput } from "../command.ts";
import { EXIT } from "../errors.ts";
import { type Io, listing } from "../io.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options }: CommandInput, io: Io): Promise<number> {
  const rows = SPARSE_STRATEGIES.map(({ name, driver, umd, devices, says, traces }) => ({
    name,
    driver,
    umd,
    devices,
    says,
    derivedFrom: traces.derive ? traces.prefix : null,
  }));
  if (options["json"]) {
    io.out(`${JSON.stringify(rows)}\n`);
    return EXIT.ok;
  }
  for (const { name, driver, umd, devices, says, derivedFrom } of rows) {
    const origin = derivedFrom === null ? `as ${umd} sends it` : `derived from the calls of ${derivedFrom}`;
    io.out(listing(io, `${name}\n    ${says}\n    ${driver} (${devices.join(", ")}), ${origin}\n`));
  }
  return EXIT.ok;
}
