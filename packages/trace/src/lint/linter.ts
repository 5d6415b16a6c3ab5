/**
 * The linter: follows the address spaces of a trace and asks every rule after each ioctl.
 *
 * It needs no model: whoever drives it says what each ioctl means, returned and cost. `lintTrace` takes that from a replay, the examples
 * of the rules from a few words.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { CallRef } from "../space/piece.ts";
import { resourceName } from "../space/resource.ts";
import type { VmSpace } from "../space/vm-space.ts";
import { CLIENT_UNKNOWN, clientHint, type SpaceRules, World } from "../space/world.ts";
import { FindingList, type LintFinding } from "./finding.ts";
import type { LintCall, LintContext, LintRule, RuleRun } from "./rule.ts";

/** One ioctl as it is told to the linter. */
export type LintInput = Pick<
  LintCall,
  "ref" | "action" | "ret" | "recordedRet" | "reason" | "cost" | "handleMoved" | "entriesThere" | "phase"
>;

/** Bytes of the page-table leaf at an address of a VM. */
export type LeafLook = (file: number, vm: number, addr: number) => number;

/** `bind-sparse call=3 buffer binds=41 unbinds=23` */
const ASKED = /^bind-sparse .* binds=(\d+) unbinds=(\d+)$/;

/** Larger than any page; what operations are aligned to divides it. */
const PAGE_MAX: number = 2 ** 21;

/** Looks at one trace. */
export class Linter {
  readonly #world: World;
  readonly #list = new FindingList();
  readonly #runs: { readonly rule: LintRule; readonly run: RuleRun }[];
  /** VMs of which a VM_BIND was refused. */
  readonly #incomplete = new Set<string>();
  #pageBytes = PAGE_MAX;
  #hint = CLIENT_UNKNOWN;
  #asked: number | null = null;
  #last: CallRef = { seq: 0, line: 0, file: 0, ioctl: "" };

  /**
   * @param rules - which are asked, in this order
   * @param space - of the trace's driver
   * @param leafBytes - looks into page tables
   */
  constructor(rules: readonly LintRule[], space: SpaceRules, leafBytes: LeafLook) {
    this.#world = new World(space);
    this.#runs = rules.map((rule) => ({ rule, run: rule.start(this.#contextOf(rule, leafBytes)) }));
  }

  /**
   * Take an ioctl into account.
   *
   * @param input - what is known of it
   */
  call(input: LintInput): void {
    this.#last = input.ref;
    if (input.action.kind === "bind" && input.ret === 0) {
      for (const { addr, range, effect } of input.action.ops) if (effect !== "none") this.#align(addr, range);
    }
    const hint = { ...this.#hint, creates: input.phase === "create" };
    const change = this.#world.take(input.ref, input.action, input.ret === 0, hint);
    const call: LintCall = { ...input, ...change, asked: this.#asked };
    if (input.action.kind === "bind" && input.ret !== 0)
      this.#incomplete.add(`${input.ref.file} ${input.action.vm}`);
    // What is lost with a refused call makes later ones look wasteful.
    const isWhole = change.vm === null || !this.#incomplete.has(`${change.vm.file} ${change.vm.id}`);
    for (const { rule, run } of this.#runs) if (isWhole || rule.category !== "cost") run.call?.(call);
    if (change.gone !== null) {
      this.#vmEnds(change.gone, input.ref, `VM ${change.gone.id} is destroyed`, true);
    }
  }

  /**
   * Pass a mark.
   *
   * @param text - the mark
   */
  mark(text: string): void {
    for (const { run } of this.#runs) run.mark?.(text);
    this.#hint = clientHint(text);
    const [, binds, unbinds] = ASKED.exec(text) ?? [];
    this.#asked = binds === undefined ? null : Number(binds) + Number(unbinds);
  }

  /**
   * A file is closed.
   *
   * @param index - its number
   */
  closeFile(index: number): void {
    for (const vm of this.#world.closeFile(index)) this.#vmEnds(vm, this.#last, "its file is closed", true);
  }

  /**
   * The trace is over.
   *
   * @param certain - it says so itself
   * @returns what was found, in the order of the ioctls
   */
  finish(certain: boolean): LintFinding[] {
    const text = certain ? "the program ends" : "the trace ends";
    for (const vm of this.#world.vms) this.#vmEnds(vm, this.#last, text, certain);
    for (const { run } of this.#runs) run.end?.();
    return [...this.#list.all].sort((a, b) => a.at.seq - b.at.seq);
  }

  #vmEnds(vm: VmSpace, ref: CallRef, text: string, certain: boolean): void {
    for (const { run } of this.#runs) run.vmEnds?.({ vm, ref, text, certain });
  }

  #align(addr: number, range: number): void {
    while (this.#pageBytes > 1 && (addr % this.#pageBytes !== 0 || range % this.#pageBytes !== 0)) {
      this.#pageBytes /= 2;
    }
  }

  #contextOf(rule: LintRule, leafBytes: LeafLook): LintContext {
    const linter = this;
    return {
      get world() {
        return linter.#world;
      },
      get pageBytes() {
        return linter.#pageBytes;
      },
      report: (said, ...origins) =>
        this.#list.add(rule.id, { severity: rule.severity, advice: rule.advice, ...said }, origins),
      explain: (finding, at) => this.#list.explain(finding, at),
      lose: (cause, at) => this.#list.lose(cause, at),
      cause: (at) => this.#list.cause(at),
      place: placeIn,
      leafBytes: (vm, addr) => leafBytes(vm.file, vm.id, addr),
    };
  }
}

/**
 * @param vm - a VM
 * @param addr - an address
 * @returns the place in words: `buffer#1 + 0x20000`, or the address where no resource is
 */
export function placeIn(vm: VmSpace, addr: number): string {
  const resource = vm.resources.at(addr);
  return resource === null ? hex(addr) : `${resourceName(resource)} + ${hex(addr - resource.addr)}`;
}
