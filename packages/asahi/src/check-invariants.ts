/**
 * Invariants of an asahi device, for tests and tools: what GPUVM and the page tables promise by themselves, and that
 * the two say the same. Every leaf is derived again from the mapping that it belongs to.
 *
 * They hold between ioctls; with quirk `stuckTlbiStart`, until a mapping above 32 GiB is cut or removed.
 * Besides the names of `checkGpuvm`, `checkGemRefs`, `checkTables` and `checkTlb`, an error may begin with `leaf-owner`,
 * `table-count`, `vm-kept` or `backing-bytes`.
 *
 * @module
 */

import { checkGemRefs, checkUapiCounters, type GemObject } from "@vmbind/drm";
import { checkGpuvm, checkGpuvmCounters, GPUVA_REPEAT, GPUVA_USERBITS_SHIFT } from "@vmbind/gpuvm-core";
import {
  AddressSpace,
  addressHi,
  addressLo,
  checkTablePages,
  checkTables,
  checkTlb,
  type ExpectedRange,
  UAT_PROT,
  type UatProt,
  uatLeafHi,
  uatLeafLo,
} from "@vmbind/mmu";
import { AsahiBo } from "./bo.ts";
import type { AsahiDevice } from "./device.ts";
import type { AsahiFile } from "./file.ts";
import { BIND_READ, BIND_WRITE, DUMMY_PAGE_VA, PAGE_BYTES, VM_END, VM_START } from "./uapi.ts";
import type { AsahiVm, AsahiVmDevice } from "./vm.ts";

/** Protection by READ and WRITE of the bind flags. */
const PROT_OF = new Map([
  [BIND_READ, UAT_PROT.gpuReadOnly],
  [BIND_WRITE, UAT_PROT.gpuWriteOnly],
  [BIND_READ | BIND_WRITE, UAT_PROT.gpuReadWrite],
]);
const HALF_BYTES = 2 ** 39;

/**
 * Check one VM.
 *
 * @param vm - a VM that is not destroyed, or is kept by a mapping all the same
 * @param seen - table pages of VMs checked before; those of this VM are added
 * @throws Error that names the invariant and the place
 */
export function checkInvariants(vm: AsahiVm, seen: Set<number> = new Set()): void {
  const { device, gpuvm, pageTable } = vm;
  checkGpuvm(gpuvm, { vm: device.keptVms.has(vm) ? 0 : 1 });
  const ranges: ExpectedRange[] = [];
  for (const va of gpuvm.mappings()) {
    const flags = gpuvm.flags(va);
    const start = gpuvm.addr(va);
    const end = gpuvm.end(va);
    if (start === end) continue;
    const access = (flags >> (GPUVA_USERBITS_SHIFT - 1)) & (BIND_READ | BIND_WRITE);
    const page = (flags & GPUVA_REPEAT) !== 0;
    ranges.push(
      objectRange(device, gpuvm.gem(va), start, end, gpuvm.offset(va), page, PROT_OF.get(access), true),
    );
  }
  if (vm.dummyPage !== null) {
    const end = DUMMY_PAGE_VA + PAGE_BYTES;
    ranges.push(objectRange(device, vm.dummyPage, DUMMY_PAGE_VA, end, 0, true, UAT_PROT.gpuReadWrite, true));
  }
  const count = { l1: 0, l2: 0, l3: 0 };
  checkTables(device.memory, device.format, { root: pageTable.root, ranges }, seen, (_slot, { level }) => {
    count[level === 1 ? "l1" : level === 2 ? "l2" : "l3"]++;
  });
  const { l1, l2, l3 } = pageTable.count;
  if (l1 !== count.l1 || l2 !== count.l2 || l3 !== count.l3) {
    throw new Error(`table-count: ${l1}/${l2}/${l3} counted, ${count.l1}/${count.l2}/${count.l3} found`);
  }
  if (vm.asid !== 0) {
    checkTlb(
      new AddressSpace(device.memory, device.format, pageTable.root, { asid: vm.asid, tlb: device.tlb }),
    );
  }
}

/** Leaves that show an object, or one page of it repeated. */
function objectRange(
  device: AsahiVmDevice,
  gem: GemObject | null,
  start: number,
  end: number,
  offset: number,
  onePage: boolean,
  prot: UatProt | undefined,
  user: boolean,
): ExpectedRange {
  // Put into words only when it is wrong: everything is looked at after every call.
  const where = (): string => `mapping 0x${start.toString(16)}..0x${end.toString(16)}`;
  if (!(gem instanceof AsahiBo) || device.gems.get(gem.id) !== gem || !gem.resident) {
    throw new Error(`leaf-owner: ${where()} shows an object that is gone or has no pages`);
  }
  if (prot === undefined) throw new Error(`leaf-owner: ${where()} grants nothing`);
  const pages = gem.pages();
  const lo = uatLeafLo(prot, user);
  const hi = uatLeafHi(prot);
  return {
    start,
    end,
    leaf(va, _geometry, out) {
      const at = onePage ? offset : offset + (va - start);
      const segment = pages.segmentAt(at);
      if (segment < 0) throw new Error(`leaf-owner: ${where()} reaches beyond its object`);
      const skip = at - (pages.offset[segment] as number);
      const pa = (pages.pa[segment] as number) + skip;
      out.run = onePage ? end - va : (pages.bytes[segment] as number) - skip;
      out.repeats = onePage;
      out.lo = addressLo(pa) | lo;
      out.hi = addressHi(pa) | hi;
      return true;
    },
  };
}

/**
 * Check a device: every VM, then what no VM knows alone.
 *
 * @param device - the device
 * @param files - all its open files
 * @throws Error that names the invariant and the place
 */
export function checkDeviceInvariants(device: AsahiDevice, files: Iterable<AsahiFile>): void {
  for (const vm of device.keptVms) checkKept(vm);
  const vms = [...files].flatMap((file) => [...file.vms()].map(([, vm]) => vm)).concat(...device.keptVms);
  const seen = new Set<number>();
  for (const vm of vms) checkInvariants(vm, seen);
  checkFirmware(device, seen);
  checkTablePages(device.memory, seen);
  checkUapiCounters(device.counters);
  checkGpuvmCounters(
    device.counters,
    vms.map((vm) => vm.gpuvm),
  );

  const held = new Map<GemObject, number>();
  const hold = (gem: GemObject): void => void held.set(gem, (held.get(gem) ?? 0) + 1);
  for (const file of files) for (const [, bo] of file.bos()) hold(bo);
  for (const { bo } of device.firmware.objects) hold(bo);
  for (const { gpuvm, dummyPage } of vms) {
    hold(gpuvm.resvObject);
    if (dummyPage !== null) hold(dummyPage);
  }
  checkGemRefs(device.gems, (gem) => held.get(gem) ?? 0);

  let backing = 0;
  for (const gem of device.gems.values()) {
    if (gem instanceof AsahiBo && gem.resident && gem.ownsPages) backing += gem.pages().totalBytes;
  }
  if (backing !== device.counters.backingBytes) {
    throw new Error(
      `backing-bytes: ${device.counters.backingBytes} counted, the objects' pages have ${backing}`,
    );
  }
}

/** Only mappings without length, at the ends of what VM_DESTROY unbinds, may keep a VM. */
function checkKept({ device, gpuvm, kernelStart, kernelEnd }: AsahiVm): void {
  const ends = [VM_START, kernelStart, kernelEnd, VM_END];
  for (const va of gpuvm.mappings()) {
    const addr = gpuvm.addr(va);
    if (!device.options.quirks.emptyRanges || addr !== gpuvm.end(va) || !ends.includes(addr)) {
      throw new Error(`vm-kept: a destroyed VM keeps a mapping at 0x${addr.toString(16)}`);
    }
  }
}

function checkFirmware(device: AsahiDevice, seen: Set<number>): void {
  const { objects, pageTable } = device.firmware;
  if (pageTable === null) return;
  const ranges = objects.map(({ bo, va, range, offset }) => {
    const start = va % HALF_BYTES;
    return objectRange(device, bo, start, start + range, offset, false, UAT_PROT.firmwareReadWrite, false);
  });
  checkTables(device.memory, device.format, { root: pageTable.root, ranges }, seen);
}
