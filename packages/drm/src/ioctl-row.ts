/**
 * All that is known of one ioctl, in one place: its name, its number, its struct, the memory that it points to, the errnos that it
 * may give, how much of it is modelled, and what runs it.
 *
 * The table dispatches by it, a recording is decoded and a fuzzer's calls are made by it, a server learns from it what to
 * fetch, and the lists of what is supported are printed from it.
 *
 * @module
 */

import { EOPNOTSUPP } from "./errno.ts";
import { decodeIoctl } from "./ioctl.ts";
import type { StructLayout } from "./struct.ts";
import type { UserArray } from "./user-array.ts";
import type { UserSpace } from "./user-memory.ts";

/**
 * Runs an ioctl over its bytes.
 *
 * @param file - the open file
 * @param arg - exactly the struct that the driver knows; changed in place
 * @param user - memory behind the pointers in `arg`
 * @throws `DrmError` for what the driver refuses
 */
export type IoctlHandler<F> = (file: F, arg: DataView, user: UserSpace) => void;

/**
 * How much of an ioctl the model has: all of it, all but what is said in words, or nothing, and then the errno that it
 * answers with and why.
 */
export type IoctlSupport = "full" | SupportedWithout | NotSupported;

/** Most of an ioctl is modelled. */
export interface SupportedWithout {
  /** What is missing, in words. */
  readonly without: string;
}

/** Nothing of an ioctl is modelled. */
export interface NotSupported {
  /** Positive errno that it is answered with. */
  readonly errno: number;
  /** What it is for. */
  readonly note: string;
}

/** One ioctl. */
export interface IoctlRow<F> {
  /** Name as traces have it, e.g. `PANTHOR_VM_BIND`. */
  readonly name: string;
  /** The driver's own request number, which tells direction and size. */
  readonly request: number;
  /** Its struct; null where it is not modelled and nothing here needs it. */
  readonly layout: StructLayout<object> | null;
  /** What the struct points to. */
  readonly arrays: readonly UserArray<object>[];
  /** Positive errnos that it may give. */
  readonly errnos: readonly number[];
  /** First version that has it: of the driver's interface, or of Linux. */
  readonly since: string;
  /** How much of it is modelled. */
  readonly support: IoctlSupport;
  /** What runs it; null where it is not modelled. */
  readonly run: IoctlHandler<F> | null;
  /** Whether what runs it leaves the struct as it is: then nothing has to be copied back. */
  readonly keeps: boolean;
}

/** What {@link ioctl} has to be told. */
export interface IoctlOptions<T extends object>
  extends Pick<IoctlRow<never>, "name" | "request" | "errnos" | "since"> {
  /** Its struct. */
  layout: StructLayout<T>;
  /** What the struct points to; nothing unless given. */
  arrays?: readonly UserArray<T>[];
  /** All of it is modelled, or all but what this says. */
  support: "full" | SupportedWithout;
}

/** A handler that works on the decoded struct and returns the members to write back, or undefined for none. */
export interface StructRun<F, T extends object> {
  /** See {@link StructRun}. */
  run: (file: F, args: T, user: UserSpace) => Partial<T> | undefined;
}

/** A handler that works on the decoded struct and has nothing to write back. */
export interface StructAct<F, T extends object> {
  /** See {@link StructAct}. */
  act: (file: F, args: T, user: UserSpace) => void;
}

/** A handler that works on the struct's bytes, for ioctls where decoding would be felt. */
export interface BytesRun<F> {
  /** See {@link IoctlHandler}. */
  runBytes: IoctlHandler<F>;
}

/** The same for one that has nothing to write back. */
export interface BytesAct<F> {
  /** See {@link IoctlHandler}; the struct must not be changed. */
  actBytes: IoctlHandler<F>;
}

/** What runs an ioctl. */
export type IoctlRun<F, T extends object> = StructRun<F, T> | StructAct<F, T> | BytesRun<F> | BytesAct<F>;

/**
 * An ioctl that is modelled.
 *
 * @param options - what is known of it, and what runs it
 * @returns its row
 * @throws Error when the request says another size than the layout
 */
export function ioctl<F, T extends object>(options: IoctlOptions<T> & IoctlRun<F, T>): IoctlRow<F> {
  const { name, request, layout, arrays = [], errnos, since, support } = options;
  const { size } = decodeIoctl(request);
  if (size !== layout.size) throw new Error(`${layout.name}: ${layout.size} bytes, the request says ${size}`);
  const keeps = "act" in options || "actBytes" in options;
  return { name, request, layout, arrays, errnos, since, support, run: handlerOf(options), keeps };
}

function handlerOf<F, T extends object>(options: IoctlOptions<T> & IoctlRun<F, T>): IoctlHandler<F> {
  if ("runBytes" in options) return options.runBytes;
  if ("actBytes" in options) return options.actBytes;
  const { layout } = options;
  if ("act" in options) {
    const { act } = options;
    return (file, arg, user) => act(file, layout.read(arg), user);
  }
  const { run } = options;
  return (file, arg, user) => {
    const out = run(file, layout.read(arg), user);
    if (!out) return;
    for (const member of Object.keys(out) as (keyof T)[]) layout.fields[member].write(arg, 0, out[member]);
  };
}

/** What {@link notModelled} has to be told. */
export interface NotModelledOptions extends Pick<IoctlRow<never>, "name" | "request" | "since"> {
  /** Its struct, where a tool needs it. */
  layout?: StructLayout<object>;
  /** What it is for. */
  note: string;
  /** Positive errno that it gets; EOPNOTSUPP unless given. */
  errno?: number;
}

/**
 * An ioctl that the real driver has and the model has not.
 *
 * @param options - what is known of it
 * @returns its row
 */
export function notModelled({
  name,
  request,
  since,
  layout,
  note,
  errno = EOPNOTSUPP,
}: NotModelledOptions): IoctlRow<unknown> {
  const support = { errno, note };
  const errnos = [errno];
  return {
    name,
    request,
    layout: layout ?? null,
    arrays: [],
    errnos,
    since,
    support,
    run: null,
    keeps: true,
  };
}
