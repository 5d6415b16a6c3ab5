/**
 * `msm-uapi`: the bytes of ioctls on a fresh file, and what comes back.
 *
 * @module
 */

import { RECORDED_PROFILE, UserMemory, viewOf } from "@vmbind/drm";
import { type Mismatch, mismatch, u64Of } from "@vmbind/gpuvm-core/conformance";
import { MsmDevice } from "../device.ts";
import type { MsmFile } from "../file.ts";
import { GEM_INFO, INFO, IOCTL_GEM_INFO } from "../uapi.ts";

type Json = Record<string, unknown>;

interface Memory {
  readonly addr: string;
  readonly data: string;
}

/**
 * @param testCase - see the module comment
 * @returns the first difference, or null
 */
export function checkUapi(testCase: Json): Mismatch | null {
  const config = testCase["config"] as Json;
  const file = new MsmDevice({
    vaBits: config["ias"] as number,
    prr: config["prr"] === 1,
    cachedCoherent: config["cached_coherent"] === 1,
    privateVm: config["private_vm"] === 1,
    quirks: RECORDED_PROFILE,
  }).open();
  for (const [i, call] of (testCase["calls"] as Json[]).entries()) {
    const found = checkCall(file, call, `calls[${i}]`);
    if (found !== null) return found;
  }
  return null;
}

function checkCall(file: MsmFile, call: Json, at: string): Mismatch | null {
  const arg = bytesOf(call["arg_in"] as string);
  const memory = (call["ptrs"] as Memory[]).map(({ addr, data }) => ({ addr, bytes: bytesOf(data) }));
  const user = new UserMemory();
  for (const { addr, bytes } of memory) user.place(u64Of(addr), bytes);
  const request = u64Of(call["request"]);
  const ret = file.ioctl(request, arg, user);
  // An offset for mmap is a number of the machine's; the recording's stand-in for the DRM core gave 0.
  if (ret === 0 && request === IOCTL_GEM_INFO && GEM_INFO.read(viewOf(arg)).info === INFO.getOffset) {
    GEM_INFO.fields.value.write(viewOf(arg), 0, 0);
  }
  const changed = memory
    .map(({ addr, bytes }) => ({ addr, data: hexOf(bytes) }))
    .filter(({ data }, i) => data !== (call["ptrs"] as Memory[])[i]?.data);
  return (
    mismatch(`${at}.ret`, call["ret"], ret) ??
    mismatch(`${at}.arg_out`, call["arg_out"], hexOf(arg)) ??
    mismatch(`${at}.ptrs_out`, call["ptrs_out"] ?? [], changed)
  );
}

function bytesOf(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
