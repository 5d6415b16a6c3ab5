/** EXEC_QUEUE_CREATE: its checks in the kernel's order (`xe_exec_queue.c`, Linux 7.3-rc7). */
import { type DeviceChoices, E2BIG, EFAULT, EINVAL, ENOENT, EPERM, UserMemory } from "@vmbind/drm";
import { describe, expect, it } from "vitest";
import * as xe from "../src/index.ts";
import { fixture } from "./support.ts";

const INSTANCES = 0x1000;
const EXTENSIONS = 0x2000;
const NOWHERE = 0x9000;

type Instance = Partial<xe.EngineClassInstance>;
type Extension = Partial<xe.ExtSetProperty>;
const BIND: Instance = { engineClass: xe.ENGINE_CLASS_VM_BIND };

interface Question {
  create?: Partial<xe.ExecQueueCreate>;
  instances?: readonly Instance[];
  extensions?: readonly Extension[];
}

function create(
  platform: string,
  { create = {}, instances = [BIND], extensions = [] }: Question,
  options: DeviceChoices<xe.XeDeviceOptions> = {},
) {
  const { file } = fixture(platform, options);
  const user = new UserMemory();
  const array = new Uint8Array(8 * instances.length);
  instances.forEach((instance, i) => {
    array.set(xe.ENGINE_CLASS_INSTANCE.encode(instance), 8 * i);
  });
  user.place(INSTANCES, array);
  extensions.forEach((extension, i) => {
    const nextExtension = i + 1 < extensions.length ? EXTENSIONS + 48 * (i + 1) : 0;
    const bytes = xe.EXT_SET_PROPERTY.encode({ nextExtension, ...extension });
    user.place(EXTENSIONS + 48 * i, bytes);
  });
  const arg = xe.EXEC_QUEUE_CREATE.encode({
    width: 1,
    numPlacements: instances.length,
    vmId: 1,
    instances: INSTANCES,
    extensions: extensions.length > 0 ? EXTENSIONS : 0,
    ...create,
  });
  const ret = file.ioctl(xe.IOCTL_EXEC_QUEUE_CREATE, arg, user);
  expect(file.execQueue(1) !== undefined).toBe(ret === 0);
  return { ret, reason: file.lastError?.reason ?? "" };
}

describe("EXEC_QUEUE_CREATE", () => {
  const copies = (count: number): Instance[] => Array.from({ length: count }, () => ({ engineClass: 1 }));
  const { EXEC_QUEUE_SET_PROPERTY_PRIORITY: PRIORITY, EXEC_QUEUE_SET_PROPERTY_TIMESLICE: TIMESLICE } = xe;

  it.each<[string, Question, number, RegExp]>([
    ["no instance", { create: { width: 0 } }, -EINVAL, /must not be 0/],
    ["nine instances", { instances: copies(9) }, 0, /^$/],
    [
      "ten instances, before the array is read",
      { create: { numPlacements: 10, instances: NOWHERE } },
      -EINVAL,
      /above 9/,
    ],
    ["ten instances as a product", { create: { width: 2, numPlacements: 5 } }, -EINVAL, /above 9/],
    ["an array that is not there", { create: { instances: NOWHERE } }, -EFAULT, /0x9000/],
    ["a GT that is not there", { instances: [{ ...BIND, gtId: 2 }] }, -EINVAL, /gt_id/],
    [
      "a GT that is not there, before the VM",
      { instances: [{ gtId: 2 }], create: { vmId: 7 } },
      -EINVAL,
      /gt_id/,
    ],
    ["the media GT", { instances: [{ engineClass: 2, gtId: 1 }] }, 0, /^$/],
    ["no class of engines", { instances: [{ engineClass: 6 }] }, -EINVAL, /engine_class/],
    ["two classes", { instances: [{}, { engineClass: 1 }] }, -EINVAL, /another class/],
    ["two bind engines", { instances: [BIND, BIND] }, -EINVAL, /bind queue/],
    ["another VM, before the extensions", { create: { vmId: 7, extensions: NOWHERE } }, -ENOENT, /vm_id/],
    ["extensions that are not there", { create: { extensions: NOWHERE } }, -EFAULT, /0x9000/],
    ["an unknown extension", { extensions: [{ name: 1 }] }, -EINVAL, /name/],
    ["an extension's pad", { extensions: [{ pad: 1 }] }, -EINVAL, /\[0\]\.pad/],
    ["an unknown property", { extensions: [{ property: 7 }] }, -EINVAL, /property/],
    ["a property's pad", { extensions: [{ propertyPad: 1 }] }, -EINVAL, /extensions\[0\]\.pad/],
    ["a property's reserved words", { extensions: [{ reserved: [0, 1] }] }, -EINVAL, /reserved/],
    ["normal priority", { extensions: [{ property: PRIORITY, value: 1 }] }, 0, /^$/],
    ["high priority", { extensions: [{ property: PRIORITY, value: 2 }] }, -EPERM, /CAP_SYS_NICE/],
    ["a priority too high", { extensions: [{ property: PRIORITY, value: 3 }] }, -EINVAL, /no priority/],
    ["no time at all", { extensions: [{ property: TIMESLICE }] }, -EINVAL, /timeslice/],
    ["a millisecond", { extensions: [{ property: TIMESLICE, value: 1000 }] }, 0, /^$/],
    ["the second of two", { extensions: [{}, { property: 9 }] }, -EINVAL, /extensions\[1\]/],
    ["sixteen extensions", { extensions: Array.from({ length: 16 }, () => ({})) }, 0, /^$/],
    ["seventeen extensions", { extensions: Array.from({ length: 17 }, () => ({})) }, -E2BIG, /at most 16/],
  ])("%s", (_what, question, ret, reason) => {
    const answer = create("bmg", question);
    expect(answer.ret).toBe(ret);
    expect(answer.reason).toMatch(reason);
  });

  it("takes a high priority of a process that may, and CONFIG tells it", () => {
    const high = { extensions: [{ property: PRIORITY, value: 2 }] };
    expect(create("bmg", high, { sysNice: true }).ret).toBe(0);
    const config = (sysNice: boolean) => {
      const data = new Uint8Array(xe.QUERY_CONFIG.size);
      const user = new UserMemory();
      user.place(INSTANCES, data);
      const arg = xe.DEVICE_QUERY.encode({
        query: xe.DEVICE_QUERY_CONFIG,
        size: data.length,
        data: INSTANCES,
      });
      expect(new xe.XeDevice("bmg", { sysNice }).open().ioctl(xe.IOCTL_DEVICE_QUERY, arg, user)).toBe(0);
      return xe.QUERY_CONFIG.read(new DataView(data.buffer)).info[xe.QUERY_CONFIG_MAX_EXEC_QUEUE_PRIORITY];
    };
    expect([config(false), config(true)]).toEqual([1, 2]);
  });

  it("knows one GT before Meteor Lake, and engines side by side by their numbers", () => {
    expect(create("dg2", { instances: [{ engineClass: 2, gtId: 1 }] }).ret).toBe(-EINVAL);
    expect(create("mtl", { instances: [{ engineClass: 2, gtId: 1 }] }).ret).toBe(0);
    const pair = (second: number): number =>
      create("bmg", {
        instances: [
          { engineClass: 2, engineInstance: 0 },
          { engineClass: 2, engineInstance: second },
        ],
        create: { width: 2, numPlacements: 1 },
      }).ret;
    expect([pair(1), pair(2)]).toEqual([0, -EINVAL]);
  });
});
