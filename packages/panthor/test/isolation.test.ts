/** What only panthor can give away: its dummy object, the state of a VM, syncobjs. The rest is in `packages/driver-laws`. */
import { EINVAL, ENOENT } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import {
  checkDeviceInvariants,
  IOCTL_VM_GET_STATE,
  MAP_NOEXEC,
  MAP_SPARSE,
  PanthorDevice,
  VM_GET_STATE,
} from "../src/index.ts";
import { bind, mustBind, openWithVm } from "./support.ts";

const VA = 0x40000000;
const PAGE = 0x1000;
const MIB2 = 0x200000;

describe("what a sparse range takes up", () => {
  const sparse = { flags: MAP_NOEXEC | MAP_SPARSE, va: VA, size: MIB2 };
  const secret = new TextEncoder().encode("my private key");
  const leak = (deviceWideDummy: boolean): Uint8Array => {
    const device = new PanthorDevice({ quirks: { deviceWideDummy } });
    const victim = openWithVm(device);
    const spy = openWithVm(device);
    mustBind(victim, [sparse]);
    mustBind(spy, [{ ...sparse, va: VA + 64 * MIB2 }]);
    victim.vm.addressSpace.store(VA + 0x1230, secret);
    const got = spy.vm.addressSpace.load(VA + 64 * MIB2 + 0x1230, secret.length);
    checkDeviceInvariants(device, [victim.file, spy.file]);
    return got;
  };

  it("is seen by another process when the device has one dummy, as first proposed", () => {
    expect(leak(true)).toEqual(secret);
  });

  it("is not when every open file has its own", () => {
    expect(leak(false)).toEqual(new Uint8Array(secret.length));
  });
});

it("the state of a VM and the syncobjs of one file mean nothing in another", () => {
  const device = new PanthorDevice();
  const owner = openWithVm(device);
  const id = owner.file.createVm(2 ** 47);
  const gate = owner.file.syncobjs.create();
  const { file, vmId } = openWithVm(device);
  expect(file.ioctl(IOCTL_VM_GET_STATE, VM_GET_STATE.encode({ vmId: id }))).toBe(-EINVAL);
  const wait = { flags: MAP_NOEXEC | MAP_SPARSE, va: VA, size: PAGE, syncs: [{ handle: gate }] };
  expect(bind({ file, vmId }, [wait], { async: true }).ret).toBe(-ENOENT);
  expect(owner.file.vm(id)?.destroyed).toBe(false);
});
