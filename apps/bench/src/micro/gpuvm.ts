/**
 * The VA manager against the kernel's C: the peers' workloads a, b, c, d and f, with their check values.
 *
 * @module
 */

import { GemObject, GemObjects } from "@vmbind/drm";
import { GPUVA_REPEAT, Gpuvm, type MapRequest, type StepHandlers } from "@vmbind/gpuvm-core";
import { permutation } from "@vmbind/lab";
import { xorshift32 } from "@vmbind/mmu";
import { compare, type Scenario, type Step } from "./harness.ts";
import { GPUVM_100E6_PEERS, GPUVM_PEERS, type GpuvmPeer } from "./peers.ts";

/** Bytes of a mapping in workloads a to d. */
export const UNIT = 0x10000;
const WINDOW = 2 ** 47;
/** Look-ups of workload b. */
export const FINDS = 1_000_000;
const REQUESTS = 100_000;
const PAGES_100E6 = 24415;
const BASE_100E6 = 0x10000000;
const PAGE = 0x1000;
const REPEATS = 1000;
/** What a mapping may take, in bytes; the kernel's `struct drm_gpuva` takes 120. */
const BYTES_MAX = 64;

/** A VM with four objects, and how its driver applies steps. */
export interface BareVm {
  vm: Gpuvm;
  objects: GemObject[];
  handlers: StepHandlers;
  /** Steps that the handlers have seen. */
  steps: number;
  /** Sum of what look-ups found. */
  found: number;
}

/**
 * The scenarios of the area.
 *
 * @param largest - leave out sizes above this
 */
export function gpuvmScenarios(largest: number): (Scenario<BareVm> | Scenario<BareVm[]>)[] {
  const sizes = [1e3, 1e5, 1e6].filter((n) => n <= largest);
  return [
    ...sizes.map(insertAndFind),
    ...sizes.filter((n) => n >= 1e5).map(memory),
    ...sizes.flatMap((n) => [
      replace(n, false),
      replace(n, true),
      unmapAndMap(n, false),
      unmapAndMap(n, true),
    ]),
    pageByPage(),
    repeated(),
  ];
}

function bareVm(linked: boolean, capacity: number): BareVm {
  const gems = new GemObjects();
  const objects = Array.from({ length: 4 }, () => new GemObject(gems, 2 ** 40));
  const vm = new Gpuvm({ range: WINDOW, gems, capacity });
  const state: BareVm = { vm, objects, handlers: {}, steps: 0, found: 0 };
  state.handlers = linked ? linkedHandlers(state) : unlinkedHandlers(state);
  return state;
}

/** Tree only. */
function unlinkedHandlers(state: BareVm): StepHandlers {
  const { vm } = state;
  return {
    map(op) {
      state.steps++;
      vm.map(op);
      return 0;
    },
    remap(op) {
      state.steps++;
      vm.remap(op);
      vm.free(op.unmap.va);
      return 0;
    },
    unmap(op) {
      state.steps++;
      vm.unmap(op);
      vm.free(op.va);
      return 0;
    },
  };
}

/** Tree and vm_bos, as every driver does it. */
function linkedHandlers(state: BareVm): StepHandlers {
  const { vm } = state;
  return {
    map(op) {
      state.steps++;
      const va = vm.map(op);
      const vmBo = vm.vmBoObtain(op.gem as GemObject);
      vm.link(va, vmBo);
      vmBo.put();
      return 0;
    },
    remap(op) {
      state.steps++;
      const old = op.unmap.va;
      const vmBo = vm.vmBo(old);
      vm.remap(op);
      if (vmBo) {
        if (op.prevVa !== 0) vm.link(op.prevVa, vmBo);
        if (op.nextVa !== 0) vm.link(op.nextVa, vmBo);
      }
      vm.unlink(old);
      vm.free(old);
      return 0;
    },
    unmap(op) {
      state.steps++;
      vm.unmap(op);
      vm.unlink(op.va);
      vm.free(op.va);
      return 0;
    },
  };
}

/** Several VMs where one is too short to time. */
function insertAndFind(n: number): Scenario<BareVm[]> {
  const copies = Math.max(1, 1e5 / n);
  const order = insertionOrder(n);
  const queries = addresses(n);
  const insert: Step<BareVm[]> = {
    id: `a-${n}`,
    what: `insert ${n} mappings in random order`,
    unit: "op",
    units: n * copies,
    run(machines) {
      for (const { vm, objects } of machines) {
        const object = objects[0] as GemObject;
        for (let i = 0; i < n; i++) {
          const addr = (order[i] as number) * UNIT;
          vm.insert(addr, UNIT, object, addr);
        }
      }
    },
    check: (machines) =>
      compare(
        "mappings",
        machines.reduce((sum, { vm }) => sum + vm.count, 0),
        n * copies,
      ),
    peer: peer(`a-${n}`),
  };
  const find: Step<BareVm[]> = {
    id: `b-${n}`,
    what: `find the mapping at 1,000,000 random addresses among ${n}`,
    unit: "op",
    units: FINDS,
    run([state]) {
      const { vm } = state as BareVm;
      let sum = 0;
      for (let i = 0; i < FINDS; i++) sum += vm.addr(vm.findFirst(queries[i] as number, 1));
      (state as BareVm).found = sum;
    },
    check: ([state]) => compare("sum of found addresses", state?.found ?? 0, GPUVM_PEERS[`b-${n}`]?.sum),
    peer: peer(`b-${n}`),
  };
  return { prepare: () => Array.from({ length: copies }, () => bareVm(false, n)), steps: [insert, find] };
}

/**
 * @param n - mappings of workload a
 * @returns their places in the order in which they are inserted
 */
export function insertionOrder(n: number): Uint32Array {
  return permutation(n, below(xorshift32(0x12345678)));
}

/** The bytes that a mapping takes when nobody told the VM how many will come. */
function memory(n: number): Scenario<BareVm> {
  const order = insertionOrder(n);
  let bytes = 0;
  return {
    prepare: () => bareVm(false, 64),
    steps: [
      {
        id: `memory-${n}`,
        get what() {
          return `insert ${n} mappings into a VM that expects few: ${bytes.toFixed(1)} bytes a mapping`;
        },
        unit: "op",
        units: n,
        run({ vm, objects }) {
          const object = objects[0] as GemObject;
          for (let i = 0; i < n; i++) {
            const addr = (order[i] as number) * UNIT;
            vm.insert(addr, UNIT, object, addr);
          }
        },
        check({ vm }) {
          bytes = vm.memoryBytes / n;
          return bytes <= BYTES_MAX ? null : `bytes a mapping: expected at most ${BYTES_MAX}, got ${bytes}`;
        },
        peer: null,
      },
    ],
  };
}

/**
 * @param n - mappings of workload b
 * @returns the addresses that are looked up
 */
export function addresses(n: number): Float64Array {
  const next = xorshift32(0x9abcdef1);
  return Float64Array.from({ length: FINDS }, () => {
    const q = next() % n;
    return q * UNIT + (next() & 0xffff);
  });
}

function replace(n: number, linked: boolean): Scenario<BareVm> {
  return churn("c", "map over a full VM", n, linked, REQUESTS, () => false);
}

function unmapAndMap(n: number, linked: boolean): Scenario<BareVm> {
  return churn("d", "unmap and map by turns", n, linked, 2 * REQUESTS, (i) => i % 2 === 0);
}

function churn(
  letter: string,
  what: string,
  n: number,
  linked: boolean,
  count: number,
  isUnmap: (i: number) => boolean,
): Scenario<BareVm> {
  const drawn = draw(n, count);
  const kind = linked ? "linked" : "unlinked";
  const id = `${letter}-${kind}-${n}`;
  const step: Step<BareVm> = {
    id,
    what: `${what} of ${n}, ${kind}`,
    unit: "op",
    units: count,
    run(state) {
      const { vm, handlers, objects } = state;
      const request: MapRequest = { addr: 0.5, range: 0.5, gem: null, offset: 0.5 };
      for (let i = 0; i < count; i++) {
        const addr = drawn.addr[i] as number;
        const range = drawn.range[i] as number;
        if (isUnmap(i)) {
          vm.smUnmap(addr, range, handlers);
          continue;
        }
        request.addr = addr;
        request.range = range;
        request.gem = objects[drawn.object[i] as number] as GemObject;
        request.offset = drawn.offset[i] as number;
        vm.smMap(request, handlers);
      }
    },
    check: (state) => checkChurn(state, count, GPUVM_PEERS[id]),
    peer: peer(id),
  };
  return {
    prepare() {
      const state = bareVm(linked, n);
      const gem = state.objects[0] as GemObject;
      for (let i = 0; i < n; i++) {
        state.vm.smMap({ addr: i * UNIT, range: UNIT, gem, offset: i * UNIT }, state.handlers);
      }
      state.steps = 0;
      return state;
    },
    steps: [step],
  };
}

interface Drawn {
  addr: Float64Array;
  range: Float64Array;
  object: Uint8Array;
  offset: Float64Array;
}

function draw(n: number, count: number): Drawn {
  const next = xorshift32(0xdeadbeef);
  const drawn: Drawn = {
    addr: new Float64Array(count),
    range: new Float64Array(count),
    object: new Uint8Array(count),
    offset: new Float64Array(count),
  };
  for (let i = 0; i < count; i++) {
    const start = next() % n;
    const length = 1 + (next() % 16);
    drawn.object[i] = next() % 4;
    drawn.offset[i] = (next() % 256) * UNIT;
    drawn.addr[i] = start * UNIT;
    drawn.range[i] = Math.min(length, n - start) * UNIT;
  }
  return drawn;
}

function checkChurn(state: BareVm, count: number, expected: GpuvmPeer | undefined): string | null {
  const { vm, objects, steps } = state;
  const ids = new Map(objects.map((object, i) => [object, BigInt(i)]));
  let sum = 0n;
  for (const va of vm.mappings()) {
    const id = ids.get(vm.gem(va) as GemObject) as bigint;
    sum += BigInt(vm.addr(va)) ^ (BigInt(vm.rangeOf(va)) * 3n) ^ (BigInt(vm.offset(va)) * 5n) ^ id;
  }
  const checksum = `0x${BigInt.asUintN(64, sum).toString(16)}`;
  return (
    compare("steps per op", (steps / count).toFixed(3), expected?.stepsPerOp) ??
    compare("final mappings", vm.count, expected?.finalMappings) ??
    compare("checksum", checksum, expected?.checksum)
  );
}

/** The same VM again and again: a fresh one would mostly time the first touch of its memory, which the peer leaves out. */
function pageByPage(): Scenario<BareVm> {
  return {
    repeat: 25,
    prepare: () => bareVm(true, PAGES_100E6),
    steps: [
      {
        id: "f-pages-map",
        what: "100e6 bytes: 24415 maps of one page, all the same page",
        unit: "op",
        units: PAGES_100E6,
        run({ vm, handlers, objects }) {
          const request: MapRequest = { addr: 0.5, range: PAGE, gem: objects[0] as GemObject, offset: 0 };
          for (let i = 0; i < PAGES_100E6; i++) {
            request.addr = BASE_100E6 + i * PAGE;
            vm.smMap(request, handlers);
          }
        },
        check: ({ vm }) => compare("mappings", vm.count, PAGES_100E6),
        peer: GPUVM_100E6_PEERS["f-pages-map"] ?? null,
      },
      {
        id: "f-pages-unmap",
        what: "100e6 bytes: one unmap over the 24415 mappings",
        unit: "mapping",
        units: PAGES_100E6,
        run: ({ vm, handlers }) => void vm.smUnmap(BASE_100E6, PAGES_100E6 * PAGE, handlers),
        check: ({ vm }) => compare("mappings", vm.count, 0),
        peer: GPUVM_100E6_PEERS["f-pages-unmap"] ?? null,
      },
    ],
  };
}

function repeated(): Scenario<BareVm> {
  return {
    repeat: 25,
    prepare: () => bareVm(true, 16),
    steps: [
      {
        id: "f-repeat-map",
        what: "100e6 bytes: 1000 identical REPEAT maps of the whole range",
        unit: "op",
        units: REPEATS,
        run({ vm, handlers, objects }) {
          const request: MapRequest = {
            addr: BASE_100E6,
            range: PAGES_100E6 * PAGE,
            gem: objects[0] as GemObject,
            offset: 0,
            flags: GPUVA_REPEAT,
            gemRange: PAGE,
          };
          for (let i = 0; i < REPEATS; i++) vm.smMap(request, handlers);
        },
        check: ({ vm }) => compare("mappings", vm.count, 1),
        peer: GPUVM_100E6_PEERS["f-repeat-map"] ?? null,
      },
      {
        id: "f-repeat-unmap",
        what: "100e6 bytes: one unmap of the REPEAT mapping",
        unit: "call",
        units: 1,
        run: ({ vm, handlers }) => void vm.smUnmap(BASE_100E6, PAGES_100E6 * PAGE, handlers),
        check: ({ vm }) => compare("mappings", vm.count, 0),
        peer: GPUVM_100E6_PEERS["f-repeat-unmap"] ?? null,
      },
    ],
  };
}

function peer(id: string): Step<never>["peer"] {
  const found = GPUVM_PEERS[id];
  return found ? { ns: found.ns, best: found.best, source: found.source } : null;
}

function below(next: () => number): (n: number) => number {
  return (n) => next() % n;
}
