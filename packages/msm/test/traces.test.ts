/** turnip's recordings: its very bytes, and what the kernel's own code did with them. `driver-laws` replays them all. */

import { readFileSync } from "node:fs";
import { ENOMEM, type IoctlCall, issue, type SparseBind, viewOf } from "@vmbind/drm";
import { CallBytes, type TraceIoctl, type TraceRecord } from "@vmbind/trace";
import { describe, expect, test } from "vitest";
import { arrayBinds, windowBinds } from "../../../test/image-workloads.ts";
import { callsBehind, recordedText, recordsOf, sentText } from "../../../test/recordings.ts";
import { traceFormats } from "../src/conformance.ts";
import {
  IOCTL_SET_PARAM,
  IOCTL_SUBMITQUEUE_NEW,
  imageLayout,
  MsmDevice,
  OP_MAP,
  PARAM,
  PARAM_ARG,
  PIPE_3D0,
  SUBMITQUEUE_NEW,
  SUBMITQUEUE_VM_BIND,
  TurnipUmd,
  VM_BIND,
  VM_BIND_FENCE_FD_IN,
  type VmBindOp,
} from "../src/index.ts";
import { VM_BIND_OPS } from "../src/ioctls.ts";

const FENCE = 3;
const TIMELINE = 2;

/** VM_BINDs behind marks that begin so. */
const bindsBehind = (records: readonly TraceRecord[], mark: string) =>
  callsBehind(records, mark, "MSM_VM_BIND");

/** The first VM_BIND behind a mark. */
function first(records: readonly TraceRecord[], prefix: string): TraceIoctl {
  return bindsBehind(records, prefix)[0] as TraceIoctl;
}

/** Its operations, by address. */
function opsOf(call: TraceIoctl): VmBindOp[] {
  const { nrOps, op } = VM_BIND.read(viewOf(call.argIn));
  return nrOps === 1 ? [op] : new CallBytes(call).elements(VM_BIND_OPS);
}

/** turnip with the sync file of its own last bind, which a recorded queue bind waits for. */
function turnipBefore(call: TraceIoctl, options: { fence?: number; timeline?: number }): TurnipUmd {
  const umd = new TurnipUmd(options);
  const own = umd.create(2 ** 40, 4096)[0];
  const { fenceFd, flags } = VM_BIND.read(viewOf(call.argIn));
  expect(flags).toBe(VM_BIND_FENCE_FD_IN);
  VM_BIND.fields.fenceFd.write(viewOf(own?.arg as Uint8Array), 0, fenceFd);
  return umd;
}

const sent = (calls: ReturnType<TurnipUmd["bind"]>) =>
  calls.map(({ arg, buffers }) => sentText(arg, buffers));

describe("TurnipUmd", () => {
  test("makes and destroys a resource with turnip's very bytes", async () => {
    const records = await recordsOf("msm-buffer-100e6");
    const made = first(records, "create");
    const va = opsOf(made)[0]?.iova as number;
    const umd = new TurnipUmd();
    expect(sent(umd.create(va, 100e6))).toEqual([recordedText(made)]);
    expect(sent(umd.destroy(va, 100e6))).toEqual([recordedText(first(records, "destroy"))]);
  });

  test("builds every queue bind of buffers with turnip's very bytes, in whatever order the application names blocks", async () => {
    const records = await recordsOf("msm-buffer-stream");
    const calls = bindsBehind(records, "bind-sparse");
    const umd = turnipBefore(calls[0] as TraceIoctl, { fence: FENCE, timeline: TIMELINE });
    for (const call of calls) {
      const binds = opsOf(call).map(({ op, iova, range, handle, objOffset }): SparseBind => {
        const memory = op === OP_MAP ? { handle, offset: objOffset } : null;
        return { resourceOffset: iova, size: range, memory };
      });
      expect(sent(umd.bind(0, 2 ** 48, binds.reverse()))).toEqual([recordedText(call)]);
    }
    expect(calls.length).toBeGreaterThan(20);
  });

  test("cuts the tiles of a window that wanders over an image as turnip does", async () => {
    const records = await recordsOf("msm-image-window");
    const va = opsOf(first(records, "create"))[0]?.iova as number;
    const calls = bindsBehind(records, "bind-sparse");
    const handle = opsOf(calls[0] as TraceIoctl)[0]?.handle as number;
    const umd = turnipBefore(calls[0] as TraceIoctl, { fence: FENCE, timeline: TIMELINE });
    const layout = imageLayout(16384, 16384);
    const built = [...windowBinds(records, handle)].flatMap((binds) => umd.bindImage(va, layout, binds));
    expect(sent(built)).toEqual(calls.map(recordedText));
  });

  test("cuts the layers and mips of an array as turnip does", async () => {
    const records = await recordsOf("msm-image-array-mips");
    const va = opsOf(first(records, "create"))[0]?.iova as number;
    const calls = bindsBehind(records, "bind-sparse").slice(1, -1);
    const umd = turnipBefore(calls[0] as TraceIoctl, { fence: FENCE, timeline: TIMELINE });
    // The mip tails came before.
    umd.bind(va, 0, []);
    const pools = [calls[0], calls[8]].map((call) => opsOf(call as TraceIoctl)[0]?.handle as number);
    const layout = imageLayout(2048, 2048);
    const built = arrayBinds(pools as [number, number]).flatMap((binds) => umd.bindImage(va, layout, binds));
    expect(sent(built)).toEqual(calls.map(recordedText));
  });

  test("sends an array again one operation at a time where the kernel has no memory for it", () => {
    let left = 0;
    const device = new MsmDevice({ allocFault: (point) => point === "op-array" && --left === 0 });
    const file = device.open();
    const enable = { pipe: PIPE_3D0, param: PARAM.enVmBind, value: 1 };
    expect(file.ioctl(IOCTL_SET_PARAM, PARAM_ARG.encode(enable))).toBe(0);
    for (let i = 0; i < 3; i++) {
      file.ioctl(IOCTL_SUBMITQUEUE_NEW, SUBMITQUEUE_NEW.encode({ flags: SUBMITQUEUE_VM_BIND }));
    }
    const [fence, timeline] = [file.syncobjs.create(), file.syncobjs.create()];
    const handle = file.createBo(0x10000);
    const umd = new TurnipUmd({ fence, timeline });
    const va = 2 ** 33;
    for (const call of umd.create(va, 0x50000)) expect(issue(file, call)).toBe(0);
    const [array] = umd.bindImage(va, imageLayout(256, 256), [
      { level: 0, x: 1, y: 0, width: 1, height: 1, memory: { handle, offset: 0 } },
    ]) as [IoctlCall];
    left = 1;
    expect(issue(file, array)).toBe(-ENOMEM);
    const calls = umd.oneByOne(array);
    // As turnip did on a model that refused arrays above 32: 512 calls, all with the sync file, the signals on the last.
    const args = calls.map(({ arg }) => VM_BIND.read(viewOf(arg)));
    expect(args.map(({ nrOps, flags, fenceFd }) => [nrOps, flags, fenceFd])).toEqual(
      Array(8).fill([1, VM_BIND_FENCE_FD_IN, 1]),
    );
    expect(args.map(({ nrOutSyncobjs }) => nrOutSyncobjs)).toEqual([0, 0, 0, 0, 0, 0, 0, 2]);
    for (const call of calls.slice(0, -1)) expect(issue(file, call)).toBe(0);
    expect(file.syncobjs.get(fence)?.find(0)).toBeNull();
    expect(issue(file, calls[7] as IoctlCall)).toBe(0);
    expect([fence, timeline].map((id) => file.syncobjs.get(id)?.find(0)?.signaled)).toEqual([true, true]);
    const bound = [...(file.vm(1)?.mappings() ?? [])].filter(({ kind }) => kind === "bo");
    expect(bound.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((k) => k * 0x2000));
    // One operation alone is not tried again.
    expect(umd.oneByOne(calls[7] as IoctlCall)).toEqual([]);
  });

  test("has nothing for tiles outside the image, and for binds outside the buffer", () => {
    const umd = new TurnipUmd();
    const layout = imageLayout(512, 512);
    for (const [width, height] of [
      [512, 256],
      [1000, 1000],
    ] as const)
      expect(() => imageLayout(width, height)).toThrow(`image: ${width}x${height} is not a square`);
    const outside = { level: 0, x: 3, y: 0, width: 2, height: 1, memory: null };
    expect(() => umd.bindImage(0, layout, [outside])).toThrow(/are not in level 0/);
    const bind = { resourceOffset: 8192, size: 4096, memory: null };
    expect(() => umd.bind(0, 8192, [bind])).toThrow(/leaves a resource/);
  });
});

describe("what the kernel's own code did with a recording", () => {
  const file = new URL("vectors/trace-costs.jsonl", import.meta.url);
  const [header, ...cases] = readFileSync(file, "utf8").trimEnd().split("\n");
  test.each(cases.map((line) => [JSON.parse(line).trace as string, line]))("%s", async (name, line) => {
    const format = traceFormats["msm-trace-costs"];
    expect(format?.check(JSON.parse(line), JSON.parse(header as string), await recordsOf(name))).toBeNull();
  });
});
