/**
 * A second VM on the device of a session, in the same open file or in another one, set up as the same user-mode driver
 * does it: what one of them writes, can the other see it?
 *
 * @module
 */

import { type AsahiFile, openHk } from "@vmbind/asahi";
import type { SparseUmd } from "@vmbind/drm";
import * as panthor from "@vmbind/panthor";
import { type ModelFile, type ModelVm, viewOf } from "@vmbind/trace";
import * as xe from "@vmbind/xe";
import { mustIssue } from "../strategy/calls.ts";
import type { SparseSession, SparseStrategy } from "../strategy/strategy.ts";

/** Where the second VM lives: in the session's open file, or in another one. */
export type Where = "vm" | "file";

/** A second VM. */
export interface Neighbour {
  /** Its open file. */
  file: ModelFile;
  /** The VM. */
  vm: ModelVm;
  /** Create a sparse resource in it, at an address of the caller's choice. */
  create(va: number, bytes: number): void;
}

/**
 * Open a second VM.
 *
 * @param strategy - the session's strategy
 * @param session - the first VM
 * @param where - in the same file or in another
 */
export function openNeighbour(strategy: SparseStrategy, session: SparseSession, where: Where): Neighbour {
  const { device } = session.file as panthor.PanthorFile | AsahiFile | xe.XeFile;
  const file = where === "file" ? device.open() : session.file;
  const [vm, umd] = setUp(file, strategy.name);
  return {
    file,
    vm,
    create: (va, bytes) => {
      for (const call of umd.create(va, bytes)) mustIssue(file, call);
    },
  };
}

type SetUp = [vm: ModelVm, umd: SparseUmd];

function setUp(file: ModelFile, strategy: string): SetUp {
  if (file instanceof panthor.PanthorFile) return panvk(file, strategy);
  return file instanceof xe.XeFile ? anv(file) : honeykrisp(file as AsahiFile);
}

/**
 * A VM as panvk makes it.
 *
 * @param file - an open file
 * @param strategy - `panthor-repeat` and so on
 */
export function panvk(file: panthor.PanthorFile, strategy: string): [panthor.PanthorVm, panthor.PanvkUmd] {
  const arg = panthor.VM_CREATE.encode({ userVaRange: 2 ** 47 });
  mustIssue(file, { name: "PANTHOR_VM_CREATE", request: panthor.IOCTL_VM_CREATE, arg, buffers: [] });
  const vmId = panthor.VM_CREATE.read(viewOf(arg)).id;
  const how = strategy.replace(/^panthor-/, "") as panthor.PanvkStrategy;
  const umd = new panthor.PanvkUmd({ strategy: how, vmId });
  for (const call of umd.setup()) {
    mustIssue(file, call);
    umd.dummyHandle = panthor.BO_CREATE.read(viewOf(call.arg)).handle;
  }
  return [file.vm(vmId) as panthor.PanthorVm, umd];
}

function honeykrisp(file: AsahiFile): SetUp {
  const { vmId, umd } = openHk(file);
  return [file.vm(vmId) as ModelVm, umd];
}

function anv(file: xe.XeFile): SetUp {
  const arg = xe.VM_CREATE.encode({ flags: xe.VM_CREATE_FLAG_SCRATCH_PAGE });
  mustIssue(file, { name: "XE_VM_CREATE", request: xe.IOCTL_VM_CREATE, arg, buffers: [] });
  const { vmId } = xe.VM_CREATE.read(viewOf(arg));
  return [file.vm(vmId) as xe.XeVm, new xe.AnvUmd({ vmId })];
}
