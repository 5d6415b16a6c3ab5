/**
 * `vmbind traces`: the recordings that ship.
 *
 * @module
 */

import { visible } from "@vmbind/trace/input";
import type { CommandInput } from "../command.ts";
import { EXIT, UsageError } from "../errors.ts";
import { bundledTraces, openTrace } from "../files/trace-files.ts";
import { complain, type Io } from "../io.ts";

/** Runs the command; see {@link COMMANDS} for what it does. */
export async function run({ options, operands }: CommandInput, io: Io): Promise<number> {
  const names = bundledTraces().filter((name) => operands.every((word) => name.includes(word)));
  if (operands.includes("")) throw new UsageError("an empty WORD");
  if (names.length === 0) {
    const words = operands.map((word) => JSON.stringify(word)).join(" and ");
    complain(io, "traces", `no recording has ${words} in its name; vmbind traces lists all`);
    return EXIT.difference;
  }
  const rows = await Promise.all(names.map(describe));
  if (options["json"]) {
    io.out(`${JSON.stringify(rows)}\n`);
    return EXIT.ok;
  }
  const width = Math.max(...names.map((name) => name.length)) + 2;
  for (const { name, umd } of rows) io.out(`${name.padEnd(width)}${visible(umd)}\n`);
  return EXIT.ok;
}

async function describe(
  name: string,
): Promise<Record<"name" | "driver" | "umd" | "device" | "workload", string>> {
  const { driver, umd, device, workload } = (await openTrace(name)).header;
  return { name, driver, umd, device, workload };
}
