/**
 * What a recording of a driver keeps, and which addresses stand in for those of the process.
 *
 * @module
 */

import type { TraceIoctl } from "@vmbind/trace";

/** A call as a rule sees it. */
export type RecordedCall = Pick<TraceIoctl, "ioctl" | "argIn" | "argOut" | "arrays" | "ret">;

/** The rules of a driver. */
export interface RecordingRules {
  /** Names of the ioctls that are kept; GEM_CLOSE among them. */
  readonly keeps: readonly string[];
  /** Which ioctl submits a job: it is kept as the mark `exec`. */
  readonly exec: string | null;
  /** Where stand-in addresses of an array begin, by the name of its field without numbers, e.g. `ops.syncs`. */
  readonly bases: Readonly<Record<string, number>>;
  /** What is written over the pointer of an array without elements, by the field's name; 0 unless given. */
  readonly emptyPointers?: Readonly<Record<string, number>>;
  /**
   * Which marks tell of open files: `all` for `file-open` and `file-close` of each, `none`; unless given only a `file-close`
   * that takes VMs or objects with it.
   */
  readonly fileMarks?: "all" | "none";
  /**
   * Fresh for each recording: drops calls of a kept kind that are about something left out.
   *
   * @returns whether a call is kept
   */
  filter?(): (call: RecordedCall) => boolean;
}
