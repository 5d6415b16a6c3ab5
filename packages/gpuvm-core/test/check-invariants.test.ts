/** Each invariant of GPUVM is shown to catch a fault that was made on purpose. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  checkGemRefs,
  checkGpuvm,
  checkGpuvmCounters,
  checkUapiCounters,
  GemObject,
  GemObjects,
  Gpuvm,
  type GpuvmCounters,
  gpuvmCounters,
  uapiCounters,
  type VmBo,
} from "../src/index.ts";

const PAGE = 4096;

let gems: GemObjects;
let counters: GpuvmCounters;
let vm: Gpuvm;
let own: GemObject;
let external: GemObject;

/** Three neighbours: two pieces of an external object, one of an object that shares the VM's reservation. */
beforeEach(() => {
  gems = new GemObjects();
  counters = gpuvmCounters();
  vm = new Gpuvm({ gems, range: 2 ** 40, counters, immediateMode: true });
  own = new GemObject(gems, 16 * PAGE, vm.resv);
  external = new GemObject(gems, 16 * PAGE);
  for (const [page, gem] of [
    [1, external],
    [2, own],
    [3, external],
  ] as const) {
    const va = vm.insert(page * PAGE, PAGE, gem, page * PAGE);
    const vmBo = vm.vmBoObtain(gem);
    vm.link(va, vmBo);
    vm.extobjAdd(vmBo);
    vmBo.put();
  }
  vm.insert(8 * PAGE, 0, null, 0);
  check();
});

function check(): void {
  checkGpuvm(vm);
  checkGpuvmCounters(counters, [vm]);
  checkGemRefs(gems, (gem) => (gem === vm.resvObject || gem === own || gem === external ? 1 : 0));
}

const at = (page: number): number => vm.findFirst(page * PAGE, PAGE);
const pair = (gem: GemObject): VmBo => gem.vmBos[0] as VmBo;
const setEnd = (va: number, end: number): void => {
  vm.pool.fill(va, vm.addr(va), end, vm.offset(va), vm.pool.object(va), vm.flags(va));
};

/** One of the VM's lists is another from here on. */
const listing = (
  name: "extobjs" | "evictList" | "boDefer",
  wrong: (list: readonly VmBo[]) => readonly VmBo[],
): void => {
  const list = vm[name]();
  vm[name] = () => wrong(list);
};

const FAULTS: readonly [invariant: string, fault: string, breakIt: () => void][] = [
  ["va-tree", "a node miscounts", () => void (vm.tree as unknown as { entries: number }).entries++],
  ["va-tree", "two keys change places", () => void (vm.tree as unknown as { keys: number[] }).keys.reverse()],
  ["gpuva-window", "a mapping ends behind the VM", () => setEnd(at(3), 2 ** 41)],
  ["gpuva-window", "a mapping ends before it begins", () => setEnd(at(1), 0)],
  ["gpuva-overlap", "a mapping reaches into the next", () => setEnd(at(1), 3 * PAGE)],
  ["gpuva-overlap", "a mapping reaches over one without length", () => setEnd(at(3), 9 * PAGE)],
  ["gpuva-object", "a mapped object leaves the registry", () => gems.delete(own.id)],
  ["vm-bo-list", "a mapping loses its link", () => void vm.unlink(at(1))],
  ["vm-bo-list", "a list names a mapping that is gone", () => vm.remove(at(3))],
  ["vm-bo-list", "the tail is another", () => void Object.assign(pair(external), { tail: at(1) })],
  ["vm-bo-list", "a link back is wrong", () => void vm.pool.setPrev(at(3), 0)],
  ["vm-bo-list", "the count is wrong", () => void pair(own).vaCount++],
  ["vm-bo-pair", "an object lists a pair twice", () => void own.vmBos.push(pair(own))],
  ["vm-bo-pair", "an object forgets a pair", () => void own.vmBos.pop()],
  ["vm-bo-refs", "a reference too many", () => void pair(own).get()],
  ["vm-bo-refs", "a reference too few", () => void pair(external).refs--],
  ["extobj-list", "an external object is missing", () => listing("extobjs", (list) => list.slice(0, -1))],
  ["extobj-list", "an own object is on the list", () => listing("extobjs", (list) => [...list, pair(own)])],
  [
    "evict-list",
    "an object that is not evicted waits",
    () => listing("evictList", (list) => [...list, pair(own)]),
  ],
  ["bo-defer", "a zombie was not buried", () => listing("boDefer", (list) => [...list, pair(own)])],
  ["gpuvm-refs", "a reference too many", () => void vm.get()],
  ["gem-refs", "a reference too many", () => void own.get()],
  ["gem-refs", "an object that nobody holds", () => void new GemObject(gems, PAGE)],
  ["gpuvm-counters", "a mapping is counted twice", () => void counters.gpuvasLive++],
  ["gpuvm-counters", "a vm_bo is not counted", () => void counters.vmBosLive--],
  ["gpuvm-counters", "the peak is below the level", () => void Object.assign(counters, { gpuvasPeak: 1 })],
];

describe("a fault is caught by its invariant", () => {
  it.each(FAULTS)("%s: %s", (invariant, _fault, breakIt) => {
    breakIt();
    expect(check).toThrow(new RegExp(`^${invariant}: `));
  });
});

it.each([
  ["a negative counter", { bindOps: -1 }],
  ["a counter that is no number", { payloadBytes: Number.NaN }],
  ["more errors than ioctls", { ioctlErrors: 1 }],
  ["more tables back than set aside", { tablesReturned: 1 }],
])("uapi-counters: %s", (_fault, change) => {
  checkUapiCounters(uapiCounters());
  expect(() => checkUapiCounters({ ...uapiCounters(), ...change })).toThrow(/^uapi-counters: /);
});

it("counts what a driver says it holds", () => {
  vm.get();
  pair(own).get();
  checkGpuvm(vm, { vm: 2, vmBo: (vmBo) => (vmBo.gem === own ? 1 : 0) });
});
