/**
 * What the DRM core answers for every driver beside syncobjs (`drm_ioctl.c`, `drm_prime.c`, `drm_gem.c`, `drm_auth.c`, Linux
 * 7.3-rc7): who the driver is, what it can do, names and dma-bufs of objects. There is no display, so what belongs to
 * mode setting is refused as for a driver that only renders.
 *
 * @module
 */

import {
  DmaBuf,
  EACCES,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  fail,
  type GemObject,
  readU64,
  type StructLayout,
  struct,
  u32,
  u64,
  writeU64,
} from "@vmbind/drm";
import { type LiveCall, O_CLOEXEC } from "../call.ts";
import type { Answer, Hardware, LiveFile } from "../hardware.ts";
import type { CoreIoctl } from "./core-ioctl.ts";
import { SYNCOBJ_IOCTLS } from "./syncobj-ioctls.ts";

const VERSION: StructLayout<object> = struct("drm_version", 64, {
  versionMajor: u32(0),
  versionMinor: u32(4),
  versionPatchlevel: u32(8),
  pad: u32(12),
  nameLen: u64(16),
  name: u64(24),
  dateLen: u64(32),
  date: u64(40),
  descLen: u64(48),
  desc: u64(56),
});
const UNIQUE: StructLayout<object> = struct("drm_unique", 16, { uniqueLen: u64(0), unique: u64(8) });
const CAP: StructLayout<object> = struct("drm_get_cap", 16, { capability: u64(0), value: u64(8) });
const CLIENT_CAP: StructLayout<object> = struct("drm_set_client_cap", 16, {
  capability: u64(0),
  value: u64(8),
});
const FLINK: StructLayout<object> = struct("drm_gem_flink", 8, { handle: u32(0), name: u32(4) });
const OPEN: StructLayout<object> = struct("drm_gem_open", 16, { name: u32(0), handle: u32(4), size: u64(8) });
const PRIME_HANDLE: StructLayout<object> = struct("drm_prime_handle", 12, {
  handle: u32(0),
  flags: u32(4),
  fd: u32(8),
});
const AUTH: StructLayout<object> = struct("drm_auth", 4, { magic: u32(0) });

/** `DRM_CAP_` of `drm.h` that a driver without a display has. */
const CAP_PRIME = 5;
const CAP_TIMESTAMP_MONOTONIC = 6;
const CAP_SYNCOBJ = 0x13;
const CAP_SYNCOBJ_TIMELINE = 0x14;
const CAPS: ReadonlyMap<number, number> = new Map([
  [CAP_PRIME, 3],
  [CAP_TIMESTAMP_MONOTONIC, 1],
  [CAP_SYNCOBJ, 1],
  [CAP_SYNCOBJ_TIMELINE, 1],
]);

/** `DRM_RDWR` and `DRM_CLOEXEC`. */
const O_RDWR = 2;

/** Copy a string to where a length and a pointer say; the length becomes the string's. */
function putText(call: LiveCall, arg: DataView, at: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  const room = readU64(arg, at);
  const addr = readU64(arg, at + 8);
  if (room > 0 && addr !== 0) call.user.write(addr, bytes.subarray(0, Math.min(room, bytes.length)));
  writeU64(arg, at, bytes.length);
}

function version(_: LiveFile, call: LiveCall, arg: DataView, { version: it }: Hardware): Answer {
  it.version.forEach((number, i) => {
    arg.setUint32(4 * i, number, true);
  });
  putText(call, arg, 16, it.name);
  putText(call, arg, 32, it.date);
  putText(call, arg, 48, it.description);
  return 0;
}

/** Unlike the texts of VERSION this one is not cut: where there is too little room, only its length is told. */
function unique(_: LiveFile, call: LiveCall, arg: DataView, { bus }: Hardware): Answer {
  const bytes = new TextEncoder().encode(bus.bus === "pci" ? bus.slot : bus.path);
  if (readU64(arg, 0) >= bytes.length) call.user.write(readU64(arg, 8), bytes);
  writeU64(arg, 0, bytes.length);
  return 0;
}

function getCap(_: LiveFile, __: LiveCall, arg: DataView): Answer {
  const cap = readU64(arg, 0);
  const value = CAPS.get(cap);
  writeU64(arg, 8, value ?? 0);
  // Where there is no display the core asks no further: what is no capability at all gets the same answer.
  if (value === undefined) fail(EOPNOTSUPP, `get_cap.capability: ${cap} is about a display, or is none`);
  return 0;
}

function noDisplay(): Answer {
  return fail(EOPNOTSUPP, "set_client_cap: there is no display");
}

function fine(): Answer {
  return 0;
}

function getMagic(_: LiveFile, __: LiveCall, arg: DataView): Answer {
  arg.setUint32(0, 1, true);
  return 0;
}

/**
 * Only the master may: here some display server is it, as on a desktop. Mesa takes a node of whose master it is for a display
 * to list the screens of, and there is none.
 */
function authMagic(): Answer {
  return fail(EACCES, "auth_magic: this file is not the master");
}

/** Global names of objects, of one device: the lowest free one first. An object loses its name with its last handle. */
class FlinkNames {
  readonly #objects: WeakRef<GemObject>[] = [];

  nameOf(gem: GemObject): number {
    if (gem.name !== 0) return gem.name;
    let i = 0;
    while (i < this.#objects.length && this.find(i + 1) !== undefined) i++;
    this.#objects[i] = new WeakRef(gem);
    gem.name = i + 1;
    return gem.name;
  }

  find(name: number): GemObject | undefined {
    const gem = this.#objects[name - 1]?.deref();
    return gem?.name === name ? gem : undefined;
  }
}

const NAMES = new WeakMap<Hardware, FlinkNames>();

function namesOf(hardware: Hardware): FlinkNames {
  let names = NAMES.get(hardware);
  if (names === undefined) {
    names = new FlinkNames();
    NAMES.set(hardware, names);
  }
  return names;
}

function flink({ model }: LiveFile, _: LiveCall, arg: DataView, hardware: Hardware): Answer {
  const handle = arg.getUint32(0, true);
  const gem = model.bo(handle) ?? fail(ENOENT, `gem_flink.handle: ${handle} is not a handle of this file`);
  arg.setUint32(4, namesOf(hardware).nameOf(gem), true);
  return 0;
}

function open({ model }: LiveFile, _: LiveCall, arg: DataView, hardware: Hardware): Answer {
  const name = arg.getUint32(0, true);
  const gem = namesOf(hardware).find(name) ?? fail(ENOENT, `gem_open.name: no object is called ${name}`);
  const dmaBuf = DmaBuf.of(gem, hardware.device.memory.backing);
  try {
    arg.setUint32(4, model.importBo(dmaBuf), true);
  } finally {
    dmaBuf.put();
  }
  writeU64(arg, 8, gem.size);
  return 0;
}

function handleToFd({ model }: LiveFile, call: LiveCall, arg: DataView): Answer {
  const flags = arg.getUint32(4, true);
  if ((flags & ~(O_CLOEXEC | O_RDWR)) !== 0) {
    fail(EINVAL, `prime_handle_to_fd.flags: 0x${flags.toString(16)} has bits other than CLOEXEC and RDWR`);
  }
  const dmaBuf = model.exportBo(arg.getUint32(0, true));
  call.makeDescriptor({ what: "dma-buf", dmaBuf }, 8, flags & O_CLOEXEC);
  return 0;
}

function fdToHandle({ model }: LiveFile, call: LiveCall, arg: DataView): Answer {
  const fd = arg.getInt32(8, true);
  const from = call.descriptorAt(fd, "prime_fd_to_handle.fd");
  if (from?.what !== "dma-buf") return fail(EINVAL, `prime_fd_to_handle.fd: ${fd} is not a dma-buf`);
  arg.setUint32(0, model.importBo(from.dmaBuf), true);
  return 0;
}

/** All ioctls of the core by number. */
export const CORE_IOCTLS: ReadonlyMap<number, CoreIoctl> = new Map(
  [
    { nr: 0x00, name: "VERSION", layout: VERSION, run: version },
    { nr: 0x01, name: "GET_UNIQUE", layout: UNIQUE, run: unique },
    { nr: 0x02, name: "GET_MAGIC", layout: AUTH, run: getMagic },
    { nr: 0x05, name: "GET_CLIENT", layout: null, run: fine },
    { nr: 0x07, name: "SET_VERSION", layout: null, run: fine },
    { nr: 0x0a, name: "GEM_FLINK", layout: FLINK, run: flink },
    { nr: 0x0b, name: "GEM_OPEN", layout: OPEN, run: open },
    { nr: 0x0c, name: "GET_CAP", layout: CAP, run: getCap },
    { nr: 0x0d, name: "SET_CLIENT_CAP", layout: CLIENT_CAP, run: noDisplay },
    { nr: 0x11, name: "AUTH_MAGIC", layout: AUTH, run: authMagic },
    { nr: 0x1e, name: "SET_MASTER", layout: null, run: fine },
    { nr: 0x1f, name: "DROP_MASTER", layout: null, run: fine },
    { nr: 0x2d, name: "PRIME_HANDLE_TO_FD", layout: PRIME_HANDLE, run: handleToFd },
    { nr: 0x2e, name: "PRIME_FD_TO_HANDLE", layout: PRIME_HANDLE, run: fdToHandle },
    { nr: 0xd1, name: "SET_CLIENT_NAME", layout: null, run: fine },
    ...SYNCOBJ_IOCTLS,
  ].map((row) => [row.nr, row]),
);
