import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { UserMemory } from "@vmbind/drm";
import {
  EXEC_QUEUE_CREATE,
  IOCTL_EXEC_QUEUE_CREATE,
  IOCTL_GEM_CREATE,
  PLATFORMS,
  VM_BIND,
  VM_BIND_OP,
  type XeBo,
  XeDevice,
  type XeFile,
} from "../src/index.ts";

interface Landing {
  va: string;
  to: "bo" | "null" | "scratch" | "fault";
  gem_seq?: number;
  offset?: string;
}

interface TraceLine {
  mark?: string;
  vm: number;
  batch: Landing;
  stores: Landing[];
  seq: number;
  request: string;
  ioctl: string;
  arg_in: string;
  ptrs: { field: string; addr: string; data: string }[];
  ret: number;
  arg_out: string;
}

/** What a replay found: recorded results that differ, and the counts of the traces' description. */
export interface Replay {
  device: XeDevice;
  file: XeFile;
  differences: string[];
  ioctls: number;
  gemCreates: number;
  gemCloses: number;
  vmBinds: number;
  /** MAP of an object, MAP NULL, UNMAP, UNMAP_ALL. */
  ops: [number, number, number, number];
  execs: number;
  stores: number;
  payloadBytes: number;
  peakMappings: number;
  peakNull: number;
}

export function loadTrace(url: URL | string): string {
  return gunzipSync(readFileSync(url)).toString();
}

/** Issues every ioctl of a trace on a fresh device and follows every recorded store through the page tables. */
export function replay(text: string): Replay {
  const [first, ...rest] = text.trimEnd().split("\n");
  const header = JSON.parse(first as string) as { pci_id: string };
  const platform = [...PLATFORMS.values()].find((p) => p.deviceId === Number(header.pci_id));
  const device = new XeDevice(platform, { adoptSyncobjs: true });
  const file = device.open();
  const r: Replay = {
    device,
    file,
    differences: [],
    ioctls: 0,
    gemCreates: 0,
    gemCloses: 0,
    vmBinds: 0,
    ops: [0, 0, 0, 0],
    execs: 0,
    stores: 0,
    payloadBytes: 0,
    peakMappings: 0,
    peakNull: 0,
  };
  const bos = new Map<number, XeBo>();
  for (const text of rest) {
    const line = JSON.parse(text) as TraceLine;
    if (line.mark === "exec" && line.stores !== undefined) followStores(r, line, bos);
    if (line.mark !== undefined) continue;
    const arg = Uint8Array.from(Buffer.from(line.arg_in, "hex"));
    const user = new UserMemory();
    r.payloadBytes += arg.length;
    for (const p of line.ptrs) {
      const bytes = Uint8Array.from(Buffer.from(p.data, "hex"));
      r.payloadBytes += bytes.length;
      user.place(Number(p.addr), bytes);
    }
    if (Number(line.request) === IOCTL_EXEC_QUEUE_CREATE) {
      // Queues of hardware engines were left out of the recording.
      const out = Uint8Array.from(Buffer.from(line.arg_out, "hex"));
      file.reserveExecQueues(EXEC_QUEUE_CREATE.read(new DataView(out.buffer)).execQueueId);
    }
    r.ioctls++;
    if (line.ioctl === "GEM_CLOSE") r.gemCloses++;
    if (line.ioctl === "XE_VM_BIND") countOps(r, arg, user);
    const ret = file.ioctl(Number(line.request), arg, user);
    const out = Buffer.from(arg).toString("hex");
    if (ret !== line.ret) r.differences.push(`seq ${line.seq}: ret ${ret}, ${file.lastError?.message}`);
    if (out !== line.arg_out) r.differences.push(`seq ${line.seq}: arg_out ${out}`);
    if (Number(line.request) === IOCTL_GEM_CREATE) {
      r.gemCreates++;
      bos.set(line.seq, file.bo(new DataView(arg.buffer).getUint32(28, true)) as XeBo);
    }
    let mappings = 0;
    let nulls = 0;
    for (const [, vm] of file.vms()) {
      mappings += vm.gpuvm.count;
      nulls += [...vm.mappings()].filter((m) => m.kind === "null").length;
    }
    r.peakMappings = Math.max(r.peakMappings, mappings);
    r.peakNull = Math.max(r.peakNull, nulls);
  }
  return r;
}

function countOps(r: Replay, arg: Uint8Array, user: UserMemory): void {
  r.vmBinds++;
  const { numBinds } = VM_BIND.read(new DataView(arg.buffer));
  const view = new DataView(arg.buffer);
  const ops =
    numBinds === 1
      ? new DataView(arg.buffer, VM_BIND.fields.bind.offset)
      : numBinds > 1
        ? user.view(Number(view.getBigUint64(VM_BIND.fields.bind.offset, true)), numBinds * VM_BIND_OP.size)
        : null;
  for (let i = 0; ops !== null && i < numBinds; i++) {
    const { op, flags } = VM_BIND_OP.read(ops, i * VM_BIND_OP.size);
    const column = op === 0 ? ((flags & 4) !== 0 ? 1 : 0) : op === 1 ? 2 : 3;
    r.ops[column]++;
  }
}

function followStores(r: Replay, line: TraceLine, bos: Map<number, XeBo>): void {
  r.execs++;
  const vm = r.file.vm(line.vm);
  for (const landing of [line.batch, ...line.stores]) {
    r.stores++;
    const va = Number(landing.va);
    const found = vm?.addressSpace.walk(va);
    let to = "none";
    if (found?.kind === "page") {
      const wanted = bos.get(landing.gem_seq ?? -1)?.pages?.addressAt(Number(landing.offset));
      to = wanted === found.pa ? "bo" : `page 0x${found.pa.toString(16)}`;
    } else if (found?.kind === "null") {
      to = vm?.gpuvm.findFirst(va - (va % 4096), 4096) ? "null" : "scratch";
    } else if (found?.kind === "fault") to = "fault";
    if (to !== landing.to)
      r.differences.push(`exec ${r.execs}: ${landing.va} expected ${landing.to}, got ${to}`);
  }
}
