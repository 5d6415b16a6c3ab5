/** An Intel GPU without a client: a VM with memory at an address, and batches written into it. */

import { UserMemory } from "@vmbind/drm";
import * as xe from "@vmbind/xe";
import type { BatchContext } from "../src/drivers/xe/batch.ts";
import { GpuMemory } from "../src/drivers/xe/gpu-memory.ts";

export const BASE = 0x10_0000;
export const BYTES = 0x1_0000;

export interface Machine {
  readonly device: xe.XeDevice;
  readonly file: xe.XeFile;
  readonly vm: xe.XeVm;
  readonly memory: GpuMemory;
  /** Put words at an address, which must be mapped. */
  write(va: number, words: readonly number[]): void;
}

/** One VM_BIND of one operation. */
export function bind(file: xe.XeFile, op: Partial<xe.VmBindOp>): number {
  const arg = xe.VM_BIND.encode({ vmId: 1, numBinds: 1 });
  xe.VM_BIND_OP.write(new DataView(arg.buffer), xe.VM_BIND.fields.bind.offset, op);
  return file.ioctl(xe.IOCTL_VM_BIND, arg, new UserMemory());
}

export function machine(createFlags = 0, bindFlags = 0): Machine {
  const device = new xe.XeDevice("bmg");
  const file = device.open();
  if (file.ioctl(xe.IOCTL_VM_CREATE, xe.VM_CREATE.encode({ flags: createFlags })) !== 0) throw file.lastError;
  const vm = file.vm(1) as xe.XeVm;
  const obj = file.createBo(BYTES, {
    placement: xe.PLACEMENT_SYSTEM,
    cpuCaching: xe.GEM_CPU_CACHING_WB,
  });
  const result = bind(file, {
    op: xe.VM_BIND_OP_MAP,
    addr: BASE,
    range: BYTES,
    obj,
    patIndex: 2,
    flags: bindFlags,
  });
  if (result !== 0) throw file.lastError;
  const memory = new GpuMemory(vm);
  return {
    device,
    file,
    vm,
    memory,
    write(va, words) {
      words.forEach((word, i) => {
        memory.store32(va + 4 * i, word);
      });
    },
  };
}

/** A clock that only the test moves, and what batches complained of. */
export function context(): BatchContext & { time: bigint; complaints: string[] } {
  const complaints: string[] = [];
  return {
    registers: new Map(),
    time: 0n,
    complaints,
    now() {
      return this.time;
    },
    unknown: (command) => complaints.push(command),
  };
}

export const END = 0x0a << 23;

/** MI_STORE_DATA_IMM of one word. */
export const store = (va: number, value: number) => [(0x20 << 23) | 2, va, 0, value];

/** MI_SEMAPHORE_WAIT until the word in memory is `value`. */
export const waitFor = (va: number, value: number) => [(0x1c << 23) | (4 << 12) | 2, value, va, 0];
