/** Numbers of 64 bits: GEM_NEW rounds its size up to whole pages, and takes what a file can have, and reasons have them to the last bit. */

import { EINVAL } from "@vmbind/drm";
import { expect, test } from "vitest";
import {
  BO_WC,
  GEM_NEW,
  IOCTL_GEM_NEW,
  IOCTL_VM_BIND,
  MsmDevice,
  type MsmFile,
  VM_BIND,
  VM_BIND_OP,
} from "../src/index.ts";
import { openWithQueues } from "./calls.ts";

function gemNew(size: bigint): [file: MsmFile, ret: number, handle: number] {
  const file = new MsmDevice().open();
  const arg = GEM_NEW.encode({ flags: BO_WC });
  const view = new DataView(arg.buffer);
  view.setBigUint64(GEM_NEW.fields.size.offset, size, true);
  const ret = file.ioctl(IOCTL_GEM_NEW, arg);
  return [file, ret, GEM_NEW.read(view).handle];
}

test.each([
  [1n, 0],
  [4096n, 0],
  [2n ** 53n + 1n, 0],
  [2n ** 63n - 4096n, 0],
  [0n, -EINVAL],
  [2n ** 63n - 4095n, -EINVAL],
  [2n ** 64n - 4096n, -EINVAL],
  [2n ** 64n - 4095n, -EINVAL],
  [2n ** 64n - 2048n, -EINVAL],
  [2n ** 64n - 1n, -EINVAL],
])("%i bytes: %i", (size, expected) => {
  const [file, ret, handle] = gemNew(size);
  expect([ret, handle]).toEqual([expected, expected === 0 ? 1 : 0]);
  expect(file.bo(1)?.size).toBe(expected === 0 ? Number((size + 4095n) / 4096n) * 4096 : undefined);
  if (size !== 0n && expected !== 0) expect(file.lastError?.reason).toContain(`0x${size.toString(16)}`);
});

test("a VM_BIND's numbers are told to the last bit", () => {
  const file = openWithQueues(new MsmDevice());
  const arg = VM_BIND.encode({ nrOps: 1, queueId: 1 });
  new DataView(arg.buffer).setBigUint64(
    VM_BIND.fields.op.offset + VM_BIND_OP.fields.iova.offset,
    2n ** 64n - 1n,
    true,
  );
  expect(file.ioctl(IOCTL_VM_BIND, arg)).toBe(-EINVAL);
  expect(file.lastError?.reason).toBe("op.iova: 0xffffffffffffffff is not a multiple of 4096");
});
