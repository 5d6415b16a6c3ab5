/**
 * What the linter says: findings, each with the place, the cause, the advice; causes first, with their consequences folded into them.
 *
 * One mistake makes many: a handle that is closed too early makes every later bind of it fail, and each failed bind leaves a range that
 * nobody bound. Rules say which calls and operations their finding explains; what another rule says of those is counted as a
 * consequence, and not told again.
 *
 * @module
 */

import type { CallRef, OpRef } from "../space/piece.ts";

/** How bad it is: an error reads or loses memory, or is refused; a warning costs time or memory for nothing; a note is worth knowing. */
export type Severity = "error" | "warning" | "note";

/** A place that belongs to a finding. */
export interface Related {
  /** The ioctl, or one operation of it. */
  readonly at: CallRef | OpRef;
  /** What happened there. */
  readonly text: string;
}

/** What a rule reports. */
export interface Said {
  /** Which is not the rule's own. */
  readonly severity?: Severity;
  /** Where the cause is: an ioctl, or one operation of it. */
  readonly at: CallRef | OpRef;
  /** Number of the VM; absent where it is about none. */
  readonly vm?: number;
  /** First VA in bytes; absent where it is about none. */
  readonly addr?: number;
  /** Bytes from there. */
  readonly range?: number;
  /** The place in words, `buffer#1 + 0x20000`; absent for none. */
  readonly place?: string;
  /** What is wrong, in a sentence. */
  readonly text: string;
  /** What to do about it; the rule's own advice unless given. */
  readonly advice?: string;
  /** Other places, in the order of time. */
  readonly related?: readonly Related[];
}

/** A finding. */
export interface LintFinding extends Said {
  /** Id of the rule. */
  readonly rule: string;
  /** How bad. */
  readonly severity: Severity;
  /** What to do about it. */
  readonly advice: string;
  /** Other findings that this one explains, by id of their rule. */
  readonly consequences: Record<string, number>;
}

/** Findings of one rule that are told; further ones are counted at the first. */
const TOLD_MAX = 50;

/** Takes findings, and folds consequences into their causes. */
export class FindingList {
  /** The causes, in the order in which they were found. */
  readonly all: LintFinding[] = [];
  readonly #told = new Map<string, readonly LintFinding[]>();
  readonly #calls = new Map<number, LintFinding>();
  readonly #ops = new Map<string, LintFinding>();
  /** Ranges that a refused call left as they were. */
  readonly #lost: {
    readonly file: number;
    readonly addr: number;
    readonly end: number;
    readonly cause: LintFinding;
  }[] = [];

  /**
   * @param rule - id of a rule
   * @param said - what it says; with its severity and advice
   * @param origins - operations and ioctls without which it would not be; if one of them is explained, this is its consequence
   * @returns the finding, or that which explains it
   */
  add(
    rule: string,
    said: Said & Pick<LintFinding, "severity" | "advice">,
    origins: readonly (CallRef | OpRef)[],
  ): LintFinding {
    for (const origin of [said.at, ...origins]) {
      const cause = this.cause(origin) ?? this.#losing(origin);
      if (cause === null) continue;
      fold(cause, rule);
      return cause;
    }
    const told = this.#told.get(rule) ?? [];
    const [first] = told;
    if (first !== undefined && told.length >= TOLD_MAX) {
      fold(first, rule);
      return first;
    }
    const finding: LintFinding = { rule, ...said, consequences: {} };
    this.#told.set(rule, [...told, finding]);
    this.all.push(finding);
    return finding;
  }

  /**
   * @param at - an ioctl, or one operation of it
   * @returns the finding that explains what goes wrong there, or null
   */
  cause(at: CallRef | OpRef): LintFinding | null {
    return this.#calls.get(at.seq) ?? ("op" in at ? (this.#ops.get(opKey(at)) ?? null) : null);
  }

  /**
   * What was to happen in a range did not: whatever goes wrong there from now on is a consequence.
   *
   * @param cause - why
   * @param at - the operation that was refused
   */
  lose(cause: LintFinding, { file, addr, end }: OpRef): void {
    this.#lost.push({ file, addr, end, cause });
  }

  #losing(at: CallRef | OpRef): LintFinding | null {
    if (!("op" in at)) return null;
    const found = this.#lost.find(
      ({ file, addr, end }) => file === at.file && addr < at.end && at.addr < end,
    );
    return found?.cause ?? null;
  }

  /**
   * A finding explains what goes wrong at a place from now on.
   *
   * @param finding - the cause
   * @param at - a whole ioctl, or one operation of it
   */
  explain(finding: LintFinding, at: CallRef | OpRef): void {
    if ("op" in at) this.#ops.set(opKey(at), finding);
    else this.#calls.set(at.seq, finding);
  }
}

/**
 * Count a consequence.
 *
 * @param cause - the finding
 * @param rule - id of the rule that would have spoken
 */
export function fold(cause: LintFinding, rule: string): void {
  cause.consequences[rule] = (cause.consequences[rule] ?? 0) + 1;
}

/** @returns how many findings of which severity there are */
export function tally(findings: readonly LintFinding[]): Record<Severity, number> {
  const counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

function opKey({ seq, op }: OpRef): string {
  return `${seq}:${op}`;
}
