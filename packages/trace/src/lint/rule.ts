/**
 * What a rule is: one object in a file of its own, with its documentation and examples beside its code.
 *
 * A rule speaks of mappings, resources, operations and costs. It never asks which driver it looks at: what drivers differ in, their lens
 * has said before.
 *
 * @module
 */

import type { CostSheet } from "@vmbind/drm";
import type { Action } from "../lens.ts";
import type { Phase } from "../phase.ts";
import type { CallRef, OpRef } from "../space/piece.ts";
import type { VmSpace } from "../space/vm-space.ts";
import type { SpaceChange, World } from "../space/world.ts";
import type { LintFinding, Said, Severity } from "./finding.ts";

/** What kind of mistake a rule is about. */
export type RuleCategory = "correctness" | "lifetime" | "cost";

/** One ioctl as rules see it: what it did to the address spaces, and what that cost. */
export interface LintCall extends SpaceChange {
  /** The ioctl. */
  readonly ref: CallRef;
  /** What it means. */
  readonly action: Action;
  /** What the model returned: 0 or a negative errno. */
  readonly ret: number;
  /** What the recording says it returned. */
  readonly recordedRet: number;
  /** Why the model refused it; null where it did not. */
  readonly reason: string | null;
  /** What it cost. */
  readonly cost: Readonly<CostSheet>;
  /** The made object has another handle in the model than in the recording. */
  readonly handleMoved: boolean;
  /** Leaf entries that there are in the ranges of its operations, whole blocks of 2 MiB; null where nobody looked. */
  readonly entriesThere: number | null;
  /** What the client is doing. */
  readonly phase: Phase;
  /** Binds and unbinds that the client asked for, where a mark said it; null elsewhere. */
  readonly asked: number | null;
}

/** A VM that is no more. */
export interface LintVmEnd {
  /** With all that was in it. */
  readonly vm: VmSpace;
  /** The ioctl that destroyed it, or the last of its file. */
  readonly ref: CallRef;
  /** What happened: `VM 1 is destroyed`, `its file is closed`. */
  readonly text: string;
  /** Whether the trace says that this is the end, and does not merely stop there. */
  readonly certain: boolean;
}

/** What a rule is given. */
export interface LintContext {
  /** The address spaces as they are after the call. */
  readonly world: World;
  /** Smallest page that any operation so far needs: a power of two, bytes. */
  readonly pageBytes: number;
  /**
   * Report.
   *
   * @param said - what
   * @param origins - operations and ioctls without which it would not be, besides `at`
   * @returns the finding; where another finding explains it, that one
   */
  report(said: Said, ...origins: readonly (CallRef | OpRef)[]): LintFinding;
  /**
   * A finding explains what goes wrong at a place.
   *
   * @param finding - it
   * @param at - a whole ioctl, or one operation of it
   */
  explain(finding: LintFinding, at: CallRef | OpRef): void;
  /**
   * An operation was refused: what goes wrong in its range from now on is a consequence.
   *
   * @param cause - why
   * @param at - the operation
   */
  lose(cause: LintFinding, at: OpRef): void;
  /**
   * @param at - an ioctl, or one operation of it
   * @returns the finding that explains what goes wrong there, or null
   */
  cause(at: CallRef | OpRef): LintFinding | null;
  /**
   * @param vm - a VM
   * @param addr - an address
   * @returns the place in words: `buffer#1 + 0x20000`, or the address where no resource is
   */
  place(vm: VmSpace, addr: number): string;
  /**
   * @param vm - a VM that lives
   * @param addr - an address
   * @returns bytes of the page-table leaf there, 0 where there is none
   */
  leafBytes(vm: VmSpace, addr: number): number;
}

/** A rule at work on one trace. Every method may be left out. */
export interface RuleRun {
  /** After an ioctl, whether it succeeded or not. */
  call?(call: LintCall): void;
  /** At a mark of the client: what it asked for before is done. */
  mark?(text: string): void;
  /** Before a VM is forgotten. */
  vmEnds?(end: LintVmEnd): void;
  /** Behind the last record. */
  end?(): void;
}

/** A rule. */
export interface LintRule {
  /** Its name, in kebab-case. */
  readonly id: string;
  /** What it finds, in a line. */
  readonly title: string;
  /** What kind of mistake. */
  readonly category: RuleCategory;
  /** How bad, unless a finding says otherwise. */
  readonly severity: Severity;
  /** What exactly it looks for, and what it leaves alone. */
  readonly what: string;
  /** Why that is bad. */
  readonly why: string;
  /** What to do about it. */
  readonly advice: string;
  /** Examples in the words of `parseExample`: the bad one makes the rule speak, the good one is the same thing done right. */
  readonly examples: {
    /** The rule speaks. */
    readonly bad: string;
    /** No rule of this severity or worse speaks. */
    readonly good: string;
  };
  /**
   * Begin a trace.
   *
   * @param context - what the rule may ask and tell
   */
  start(context: LintContext): RuleRun;
}
