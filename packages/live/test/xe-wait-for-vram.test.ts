/** VRAM that is full of objects in use: an ioctl that needs some waits for batches that end, and for nothing else. */
import { ENOMEM, Fence } from "@vmbind/drm";
import { DataPages } from "@vmbind/mmu";
import * as xe from "@vmbind/xe";
import { afterEach, expect, it } from "vitest";
import { LiveCall } from "../src/call.ts";
import { ClientProcess } from "../src/client-process.ts";
import { Descriptors } from "../src/descriptors.ts";
import type { XeLiveFile } from "../src/drivers/xe/file.ts";
import { GpuMemory } from "../src/drivers/xe/gpu-memory.ts";
import { HARDWARE } from "../src/drivers/xe/hardware.ts";
import { JobQueue } from "../src/drivers/xe/jobs.ts";
import type { Answer } from "../src/hardware.ts";
import { Scheduler } from "../src/scheduler.ts";
import { bind, END, waitFor } from "./xe-machine.ts";

const MIB = 2 ** 20;
const VA = 0x4000_0000;
const DATA = VA + 0x8000;

const schedulers: Scheduler[] = [];
afterEach(() => {
  for (const scheduler of schedulers.splice(0)) scheduler.close();
});

/** A GPU with VRAM for one object of 32 MiB, which a batch in it uses until its word is 1. */
function busyGpu({ flags = 0, waits = [] as Fence[] } = {}) {
  const hardware = HARDWARE.create("bmg", {
    backing: new DataPages(),
    pages: { processPage: null },
    vramBytes: 48 * MIB,
    note: () => {},
  });
  const scheduler = new Scheduler(() => hardware.progress());
  schedulers.push(scheduler);
  const file = hardware.open() as XeLiveFile;
  const call = new LiveCall(new ClientProcess(process.pid, null), {
    descriptors: new Descriptors(),
    scheduler,
  });
  const ask = (request: number, arg: Uint8Array): Answer => file.ioctl(call, request, arg);
  const create = (): Answer =>
    ask(
      xe.IOCTL_GEM_CREATE,
      xe.GEM_CREATE.encode({
        placement: xe.PLACEMENT_VRAM,
        size: 32 * MIB,
        cpuCaching: xe.GEM_CPU_CACHING_WC,
      }),
    );
  expect(ask(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags }))).toBe(0);
  expect(create()).toBe(0);
  const op = { op: xe.VM_BIND_OP_MAP, addr: VA, range: 32 * MIB, obj: 1, patIndex: 2 };
  expect(bind(file.model, op)).toBe(0);
  const vm = file.model.vm(1) as xe.XeVm;
  const memory = new GpuMemory(vm);
  for (const [i, word] of [...waitFor(DATA, 1), END].entries()) memory.store32(VA + 4 * i, word);
  const fence = new Fence();
  const queue = new JobQueue(vm, 1);
  file.engines.submit(queue, { waits, batches: [BigInt(VA)], fence });
  vm.submitted(fence);
  scheduler.run();
  return { file, create, call, end: () => memory.store32(DATA, 1), run: () => scheduler.run() };
}

it("waits for a batch that runs, then takes its memory", async () => {
  const { file, create, end } = busyGpu();
  const answer = create();
  expect(answer).toBeInstanceOf(Promise);
  expect([...file.model.bos()].length).toBe(1);
  end();
  expect(await answer).toBe(0);
  expect([...file.model.bos()].map(([, bo]) => bo.vram)).toEqual([false, true]);
});

it("waits for no batch that waits itself, nor for one that has no end", () => {
  expect(busyGpu({ waits: [new Fence()] }).create()).toBe(-ENOMEM);
  expect(busyGpu({ flags: xe.VM_CREATE_FLAG_LR_MODE }).create()).toBe(-ENOMEM);
});

it("is refused when the end of the batch frees nothing", async () => {
  const { file, create, end } = busyGpu();
  const answer = create();
  (file.model.bo(1) as xe.XeBo).mapForCpu();
  end();
  expect(await answer).toBe(-ENOMEM);
});

it("ends with its caller", async () => {
  const { create, call } = busyGpu();
  const answer = create();
  call.cancel();
  expect(await answer).toBe(-ENOMEM);
});
