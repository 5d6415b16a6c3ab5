/** GEM_INFO: names and metadata of objects, in memory of the caller. */

import { EFAULT, UserMemory, viewOf } from "@vmbind/drm";
import { expect, test } from "vitest";
import { GEM_INFO, INFO, IOCTL_GEM_INFO, MsmDevice, type MsmFile } from "../src/index.ts";
import { newObject, openWithQueues } from "./calls.ts";

const AT = 0x7000;

function info(
  file: MsmFile,
  what: number,
  bytes: Uint8Array | null,
  len = bytes?.length ?? 0,
): [number, number] {
  const user = new UserMemory();
  if (bytes !== null) user.place(AT, bytes);
  const arg = GEM_INFO.encode({ handle: 1, info: what, value: AT, len });
  const ret = file.ioctl(IOCTL_GEM_INFO, arg, user);
  return [ret, GEM_INFO.read(viewOf(arg)).len];
}

test.each([
  ["a name", INFO.setName, INFO.getName],
  ["metadata", INFO.setMetadata, INFO.getMetadata],
])("%s comes back as it was given, and nothing is copied where there is nothing", (_, set, get) => {
  const file = openWithQueues(new MsmDevice());
  newObject(file, 4096);
  // What is copied is nothing, so that nobody asks whether there is memory.
  expect(info(file, get, null, 32)).toEqual([0, 0]);
  const given = new TextEncoder().encode("texture");
  expect(info(file, set, null, given.length)).toEqual([-EFAULT, given.length]);
  expect(info(file, set, given)).toEqual([0, given.length]);
  const room = new Uint8Array(32);
  expect(info(file, get, room)).toEqual([0, given.length]);
  expect(room.subarray(0, given.length)).toEqual(given);
  expect(info(file, get, null, 32)[0]).toBe(-EFAULT);
  expect(file.lastError?.reason).toBe("value: user memory: 7 bytes at 0x7000 are not mapped");
  expect(info(file, set, null, 0)).toEqual([0, 0]);
  expect(info(file, get, null, 32)).toEqual([0, 0]);
});
