/**
 * A strategy that nobody has in a table: what a module of a user says of it, and the rest, which is taken from the driver's own
 * strategy or measured.
 *
 * @module
 */

import type { SparseStrategy, StrategyLook, StrategyModule, Work, WorkEstimate } from "./strategy.ts";
import { sparseStrategy } from "./table.ts";
import { estimatedWork, measureWork } from "./work-estimate.ts";

/** What a proposal says of itself, whatever the driver. */
export interface ProposalWords {
  /** Name in kebab-case, not in the table; begins with the driver's, e.g. `xe-my-idea`. */
  readonly name: string;
  /** What user space says, in a few words. */
  readonly says: string;
  /** Sentences that readers of its figures need. */
  readonly note?: string;
  /** What its Vulkan driver would report as residencyNonResidentStrict; what the driver's own reports unless told. */
  readonly reportsStrict?: boolean;
  /** Largest resource, bytes; measured unless told. */
  readonly resourceBytesMax?: number;
  /** Upper bounds of what creating a resource takes; measured at some sizes unless told. */
  readonly workOf?: (bytes: number) => Work;
  /** In charts; one of a few that the table does not use unless told. */
  readonly look?: StrategyLook;
}

/** Where a proposal is from. */
export type ProposalOrigin = Omit<StrategyModule, "estimate">;

const NAME = /^[a-z0-9]+(-[a-z0-9]+)+$/;

/** Colours that no strategy of the table has, told apart from those and from each other by their markers, too. */
const LOOKS: readonly StrategyLook[] = [
  { light: "#b3123f", dark: "#ff8aa3", marker: "star" },
  { light: "#00767d", dark: "#4fd2d8", marker: "wye" },
  { light: "#5c6b00", dark: "#c3d34f", marker: "triangle" },
  { light: "#8a3ab9", dark: "#d9a1f5", marker: "cross" },
  { light: "#41506b", dark: "#a9b8d6", marker: "circle" },
];

/** A strategy as far as its author has said it. The functions of `@vmbind/lab/<driver>` make it. */
export class Proposal {
  /** What it says of itself. */
  readonly words: ProposalWords;
  readonly #own: SparseStrategy;
  readonly #open: SparseStrategy["open"];
  readonly #unsaid: readonly string[];

  /**
   * @param own - the driver's own strategy: what is not said is as there
   * @param words - what the proposal says of itself
   * @param open - opens a session
   * @param unsaid - see {@link SparseStrategy.unsaid}
   * @throws RangeError naming the member that breaks a rule
   */
  constructor(
    own: SparseStrategy,
    words: ProposalWords,
    open: SparseStrategy["open"],
    unsaid: readonly string[] = [],
  ) {
    checkWords(own.driver, words);
    this.words = words;
    this.#own = own;
    this.#open = open;
    this.#unsaid = unsaid;
  }

  /**
   * The whole strategy.
   *
   * @param index - how many others there are that no table has, for its colour
   * @param origin - the module that it is from, if it is from one
   * @param known - what creating a resource takes, where that was measured before
   * @throws RefusedError when the driver refuses to create a resource, while that is measured
   */
  async strategy(index: number, origin?: ProposalOrigin, known?: WorkEstimate): Promise<SparseStrategy> {
    const { name, says, note, reportsStrict, resourceBytesMax, workOf, look } = this.words;
    const { driver, umd, shortDriver, devices, blockBytes } = this.#own;
    const plain: SparseStrategy = {
      name,
      driver,
      umd,
      shortDriver,
      devices,
      blockBytes,
      says,
      ...(note !== undefined && { note }),
      reportsStrict: reportsStrict ?? this.#own.reportsStrict,
      look: look ?? (LOOKS[index % LOOKS.length] as StrategyLook),
      // Nobody has recorded it.
      traces: { prefix: name },
      bindsArrays: false,
      resourceBytesMax: Number.POSITIVE_INFINITY,
      workOf: () => ({ operations: 0, leafEntries: 0 }),
      ...(this.#unsaid.length > 0 && { unsaid: this.#unsaid }),
      open: this.#open,
    };
    const estimate = known ?? (await measureWork(plain));
    return {
      ...plain,
      resourceBytesMax: resourceBytesMax ?? estimate.bytesMax,
      workOf: workOf ?? ((bytes) => estimatedWork(estimate, bytes)),
      ...(origin && { module: { ...origin, estimate } }),
    };
  }
}

const MEMBERS: Readonly<Record<keyof ProposalWords, string>> = {
  name: "string",
  says: "string",
  note: "string",
  reportsStrict: "boolean",
  resourceBytesMax: "number",
  workOf: "function",
  look: "object",
};

function checkWords(driver: string, words: ProposalWords): void {
  for (const [member, value] of Object.entries(words)) {
    const type = Object.hasOwn(MEMBERS, member) ? MEMBERS[member as keyof ProposalWords] : null;
    if (type === null) throw new RangeError(`${member}: there is no such member`);
    if (value !== undefined && typeof value !== type) {
      throw new RangeError(`${member}: expected a ${type}, got ${JSON.stringify(value) ?? typeof value}`);
    }
  }
  const { name, says } = words;
  if (name === undefined || !NAME.test(name) || !name.startsWith(`${driver}-`)) {
    throw new RangeError(`name: expected ${driver}-... in kebab-case, got ${JSON.stringify(name)}`);
  }
  if (isInTable(name)) throw new RangeError(`name: ${name} is one of the table`);
  if (says === undefined || says.trim() === "") throw new RangeError("says: expected what user space says");
}

function isInTable(name: string): boolean {
  try {
    sparseStrategy(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param options - what a proposal chooses about its device
 * @param parts - what it replaces of the driver
 * @returns names of what no header of a trace says: quirks are said
 */
export function unsaidOf(options: object = {}, parts: object = {}): string[] {
  const chosen = Object.keys(options).filter((name) => name !== "quirks");
  return [...chosen.map((name) => `options.${name}`), ...Object.keys(parts).map((name) => `parts.${name}`)];
}
