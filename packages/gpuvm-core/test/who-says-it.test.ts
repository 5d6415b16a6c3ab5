import { EEXIST, EINVAL, GemObject, GemObjects } from "@vmbind/drm";
import { beforeEach, describe, expect, it } from "vitest";
import { GPUVA_REPEAT, Gpuvm, type GpuvmOp, type StepHandlers } from "../src/index.ts";

let vm: Gpuvm;
let gem: GemObject;

beforeEach(() => {
  const gems = new GemObjects();
  vm = new Gpuvm({ gems, start: 0x10_0000, range: 0x10_0000, kernelStart: 0x1f_0000, kernelRange: 0x1_0000 });
  gem = new GemObject(gems, 0x10_0000);
});

const apply: StepHandlers = {
  map: (step) => Math.min(0, vm.map(step)),
  remap: (step) => {
    vm.remap(step);
    return 0;
  },
  unmap: (step) => {
    vm.unmap(step);
    return 0;
  },
};

describe("a request that the core refuses keeps its reason", () => {
  it.each([
    ["below the window", 0xf_f000, "va: 0xff000 + 0x2000 is not inside the VM's [0x100000, 0x200000)"],
    ["across its end", 0x1f_f000, "va: 0x1ff000 + 0x2000 is not inside the VM's [0x100000, 0x200000)"],
    [
      "in the kernel's range",
      0x1f_0000,
      "va: 0x1f0000 + 0x2000 meets the kernel's range [0x1f0000, 0x200000)",
    ],
    ["at the end of 64 bits", 2 ** 64 - 0x2000, "va: 0xffffffffffffe000 + 0x2000 reaches 2^64"],
  ])("%s", (_, addr, reason) => {
    expect(vm.smMap({ addr, range: 0x2000, gem, offset: 0 }, apply)).toBe(-EINVAL);
    expect(vm.refusal).toBe(reason);
    vm.refusal = "";
    expect(vm.smUnmap(addr, 0x2000, apply)).toBe(-EINVAL);
    expect(vm.refusal).toBe(reason);
    expect(() => vm.smMapOps({ addr, range: 0x2000, gem, offset: 0 })).toThrow(`EINVAL: ${reason}`);
  });

  it("a handler that is missing, whether a step would take it or not", () => {
    const noRemap: StepHandlers = { map: () => 0, unmap: () => 0 };
    expect(vm.smMap({ addr: 0x10_0000, range: 0x2000, gem, offset: 0 }, noRemap)).toBe(-EINVAL);
    expect(vm.refusal).toBe("handlers: no remap; sm_map needs map, remap, unmap, whatever the steps are");
    expect(vm.smUnmap(0x10_0000, 0x2000, {})).toBe(-EINVAL);
    expect(vm.refusal).toBe("handlers: no remap, unmap; sm_unmap needs remap, unmap, whatever the steps are");
  });

  it("an insert outside the window, or where a mapping is", () => {
    expect(vm.insert(0x1f_f000, 0x2000, gem, 0)).toBe(-EINVAL);
    expect(vm.refusal).toBe("va: 0x1ff000 + 0x2000 is not inside the VM's [0x100000, 0x200000)");
    expect(vm.insert(0x10_0000, 0x2000, gem, 0)).toBeGreaterThan(0);
    expect(vm.insert(0x10_1000, 0x2000, gem, 0)).toBe(-EEXIST);
    expect(vm.refusal).toBe("va: [0x101000, 0x103000) meets another mapping");
  });

  it("a repeat that is none", () => {
    const request = { addr: 0x10_0000, range: 0x3000, gem, offset: 0, flags: GPUVA_REPEAT, gemRange: 0x2000 };
    expect(vm.smMap(request, apply)).toBe(-EINVAL);
    expect(vm.refusal).toBe("va.range: 0x3000 is not a multiple of gem.range");
  });
});

describe("those who look on", () => {
  const seen = (into: string[]) => (step: GpuvmOp, op: number) => void into.push(`${op} ${step.kind}`);

  it("are any number, see each step before the driver, and are told whose it is", () => {
    const [one, two]: [string[], string[]] = [[], []];
    const stopOne = vm.observe(seen(one));
    const stopTwo = vm.observe((step, op) => {
      if (step.kind === "map") expect(vm.findFirst(step.addr, step.range)).toBe(0);
      seen(two)(step, op);
    });
    vm.op = 0;
    vm.smMap({ addr: 0x10_0000, range: 0x4000, gem, offset: 0 }, apply);
    vm.op = 1;
    vm.smUnmap(0x10_1000, 0x1000, apply);
    stopOne();
    vm.op = 2;
    vm.smUnmap(0x10_0000, 0x4000, apply);
    expect(one).toEqual(["0 map", "1 remap"]);
    expect(two).toEqual([...one, "2 unmap", "2 unmap"]);
    stopTwo();
    stopTwo();
    expect(vm.observed).toBe(false);
  });

  it("see the steps of lists, too", () => {
    const steps: string[] = [];
    vm.observe(seen(steps));
    vm.op = 7;
    vm.smMapOps({ addr: 0x10_0000, range: 0x4000, gem, offset: 0 });
    expect(steps).toEqual(["7 map"]);
  });
});
