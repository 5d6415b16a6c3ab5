/**
 * The names that can be typed, and the ones that stand in help texts. Neither is known to the table of commands: to start, the
 * command has no need of them.
 *
 * @module
 */

import type { NameKind } from "./command.ts";
import { DRIVER_NAMES } from "./drivers/table.ts";
import { AREAS } from "./micro/areas.ts";

/** Shells that completion is made for. */
export const SHELLS: readonly string[] = ["bash", "zsh", "fish"];

/**
 * @param kind - what an option or an operand takes
 * @returns the names that there are, in the order of their table; none where it takes any file
 */
export async function namesOf(kind: NameKind): Promise<readonly string[]> {
  return NAMES[kind]();
}

const NAMES: Readonly<Record<NameKind, () => Promise<readonly string[]>>> = {
  area: async () => [...AREAS.keys()],
  device: async () => (await import("@vmbind/live")).liveDevices(),
  driver: async () => DRIVER_NAMES,
  file: async () => [],
  kernel: async () => (await import("@vmbind/drm")).QUIRK_PROFILES,
  phase: async () => (await import("@vmbind/trace")).PHASES,
  rule: async () => (await import("@vmbind/trace")).RULES.map(({ id }) => id),
  shell: async () => SHELLS,
  strategy: async () => (await strategies()).SPARSE_STRATEGIES.map(({ name }) => name),
  trace: async () => (await import("./files/trace-files.ts")).bundledTraces(),
  vectors: async () => [],
  workload: async () => (await import("@vmbind/lab")).workloadNames(),
};

/**
 * @returns puts names into a text of the table of commands, for `{strategy}`, `{trace}`, `{driver}` an example of each, for
 *   `{drivers}`, `{devices}`, `{areas}` all of them in words, for `{gpu}` the one that programs get unless told
 */
export async function filler(): Promise<(text: string) => string> {
  const { EXAMPLE_STRATEGY, SPARSE_STRATEGIES } = await strategies();
  const devices = SPARSE_STRATEGIES.filter((strategy) => strategy.devices.length > 1)
    .map(({ name, devices: all }) => `${choice(all)} for ${name} (default ${all[0]})`)
    .join("; ");
  const words: ReadonlyMap<string, string> = new Map([
    ["strategy", EXAMPLE_STRATEGY.name],
    ["trace", `${EXAMPLE_STRATEGY.traces.prefix}-buffer-100e6`],
    ["driver", EXAMPLE_STRATEGY.driver],
    ["drivers", choice(DRIVER_NAMES)],
    ["devices", devices],
    ["areas", choice([...AREAS.keys()])],
    ["gpu", (await import("@vmbind/live")).DEFAULT_DEVICE],
  ]);
  return (text) => text.replace(/\{(\w+)\}/g, (all, word: string) => words.get(word) ?? all);
}

/** `a, b or c`. */
function choice(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

async function strategies(): Promise<typeof import("@vmbind/lab/strategies")> {
  return import("@vmbind/lab/strategies");
}
