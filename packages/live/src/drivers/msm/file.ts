/**
 * An open file of the node: the model's, with file descriptors of the process in place of the model's numbers of sync files.
 *
 * @module
 */

import {
  GEM_SUBMIT,
  IOCTL_GEM_SUBMIT,
  IOCTL_VM_BIND,
  type MsmFile,
  SUBMIT_FENCE_FD_IN,
  SUBMIT_FENCE_FD_OUT,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  VM_BIND_FENCE_FD_OUT,
} from "@vmbind/msm";
import type { LiveCall } from "../../call.ts";
import type { Descriptor } from "../../descriptors.ts";
import { type Answer, askModel, type LiveFile } from "../../hardware.ts";

/** A number that the model gives to no sync file. */
const NO_SYNC_FILE = 0;

/** Where an ioctl has its sync file, and the flags that say what it is for. */
interface SyncFileMember {
  readonly flags: number;
  readonly fd: number;
  readonly isIn: number;
  readonly isOut: number;
}

/** By the low 8 bits of the request. */
const SYNC_FILES: ReadonlyMap<number, SyncFileMember> = new Map([
  [
    IOCTL_VM_BIND & 0xff,
    {
      flags: VM_BIND.fields.flags.offset,
      fd: VM_BIND.fields.fenceFd.offset,
      isIn: VM_BIND_FENCE_FD_IN,
      isOut: VM_BIND_FENCE_FD_OUT,
    },
  ],
  [
    IOCTL_GEM_SUBMIT & 0xff,
    {
      flags: GEM_SUBMIT.fields.flags.offset,
      fd: GEM_SUBMIT.fields.fenceFd.offset,
      isIn: SUBMIT_FENCE_FD_IN,
      isOut: SUBMIT_FENCE_FD_OUT,
    },
  ],
]);

/** An open file. */
export class MsmLiveFile implements LiveFile {
  /** See {@link LiveFile.model}. */
  readonly model: MsmFile;
  /** Numbers of sync files in the model: recordings have them in place of descriptors. */
  readonly #numbers = new WeakMap<Descriptor, number>();

  /** @param model - the model's file */
  constructor(model: MsmFile) {
    this.model = model;
  }

  /** See {@link LiveFile.ioctl}. */
  ioctl(call: LiveCall, request: number, arg: Uint8Array): Answer {
    const member = SYNC_FILES.get(request & 0xff);
    const ends = member === undefined ? 0 : Math.max(member.flags, member.fd) + 4;
    return member === undefined || arg.length < ends
      ? askModel(this.model, call, request, arg)
      : this.#withSyncFile(member, call, request, arg);
  }

  #withSyncFile(
    { flags, fd, isIn, isOut }: SyncFileMember,
    call: LiveCall,
    request: number,
    arg: Uint8Array,
  ): number {
    const view = new DataView(arg.buffer, arg.byteOffset, arg.length);
    const asked = view.getUint32(flags, true);
    const given = view.getInt32(fd, true);
    const isAsked = (flag: number) => (asked & flag) !== 0;
    if (isAsked(isIn)) {
      const number = this.#numberOf(call.descriptorOf(given), given);
      view.setInt32(fd, number, true);
      call.standIns.push({ at: fd, sent: number, ...(!isAsked(isOut) && { returned: number }) });
    }
    const ret = askModel(this.model, call, request, arg);
    const number = ret === 0 && isAsked(isOut) ? view.getInt32(fd, true) : 0;
    const fence = number === 0 ? undefined : this.model.syncFile(number);
    if (fence === undefined) view.setInt32(fd, given, true);
    else {
      // The number stays in the argument for those who look on; the shim puts the descriptor's over it.
      const made = { what: "sync-file", fence } as const;
      this.#numbers.set(made, number);
      call.makeDescriptor(made, fd);
    }
    return ret;
  }

  /** The model's number. What is no sync file gets one that the model does not know either, and refuses when its turn comes. */
  #numberOf(from: Descriptor | undefined, given: number): number {
    if (from?.what !== "sync-file") return this.model.syncFile(given) === undefined ? given : NO_SYNC_FILE;
    const number = this.#numbers.get(from) ?? this.model.addSyncFile(from.fence);
    this.#numbers.set(from, number);
    return number;
  }

  /** See {@link LiveFile.close}. */
  close(): void {
    this.model.close();
  }
}
