/** Mappings that a range cuts none of are unmapped together: what is left is what the steps of split and merge leave, which a VM takes while somebody looks on. */
import { issue } from "@vmbind/drm";
import { leaves } from "@vmbind/mmu";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  AsahiDevice,
  type AsahiVm,
  BIND_READ,
  BIND_SINGLE_PAGE,
  BIND_UNBIND,
  checkDeviceInvariants,
  GEM_VM_PRIVATE,
  type GemBindOp,
  PAGE_BYTES,
  vmBindCall,
} from "../src/index.ts";

const ADDR = 0x20_01ff_0000;
const KERNEL = { kernelStart: 0x77_ffff_8000, kernelEnd: 0x7f_ffff_8000, vmId: 0, pad: 0 };
const PAGES = 12;

/** Ranges of the same dozen of pages, on both sides of where a leaf table ends. */
const operation = fc.record({
  unbinds: fc.boolean(),
  single: fc.boolean(),
  handle: fc.constantFrom(1, 2),
  first: fc.nat(PAGES - 1),
  pages: fc.integer({ min: 1, max: PAGES }),
});

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function encoded({ unbinds, single, handle, first, pages }: Operation): GemBindOp {
  const range = { addr: ADDR + first * PAGE_BYTES, range: pages * PAGE_BYTES, offset: 0 };
  if (unbinds) return { ...range, flags: BIND_UNBIND, handle: 0 };
  return { ...range, flags: BIND_READ | (single ? BIND_SINGLE_PAGE : 0), handle };
}

/** All that can be seen of a device behind each call. */
function seen(calls: readonly (readonly Operation[])[], looksOn: boolean) {
  const device = new AsahiDevice({ boFragmentation: "scattered" });
  const file = device.open();
  const vmId = file.vmCreate(KERNEL);
  const vm = file.vm(vmId) as AsahiVm;
  const bytes = PAGES * PAGE_BYTES;
  file.gemCreate({ size: bytes, flags: GEM_VM_PRIVATE, vmId });
  file.gemCreate({ size: bytes, flags: 0, vmId: 0 });
  vm.run();
  if (looksOn) vm.gpuvm.observe(() => {});
  const invalidated: [number, number][] = [];
  vm.invalidateObserver = (va, length) => invalidated.push([va, length]);
  return calls.map((ops) => {
    const ret = issue(file, vmBindCall(vmId, ops.map(encoded)));
    checkDeviceInvariants(device, [file]);
    const { memory, format, root } = vm.addressSpace;
    return {
      ret,
      counters: { ...device.counters },
      mappings: [...vm.mappings()].map(({ gem, ...mapping }) => ({ ...mapping, gem: gem?.id })),
      leaves: [...leaves(memory, format, root)].map(({ va, entry }) => [va, entry]),
      refs: [
        vm.gpuvm.refs,
        ...[...vm.gpuvm.vmBos()].map((pair) => [pair.refs, [...pair.vas()], pair.gem.refs]),
      ],
      invalidated: invalidated.splice(0),
    };
  });
}

test("it leaves, counts and invalidates what single steps do", () => {
  const calls = fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
  fc.assert(
    fc.property(calls, (all) => {
      expect(seen(all, false)).toEqual(seen(all, true));
    }),
  );
});
