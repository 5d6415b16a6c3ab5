/**
 * Does a sparse mapping mess up accounting or reference counts? Read off the living model: who holds which object how
 * often, what per-file statistics can see, and what every submit must lock.
 *
 * @module
 */

import type { GemObject } from "@vmbind/drm";
import { snapshot } from "@vmbind/trace";
import type { AccountingFigures, AccountingMoment, AccountingResult, HeldObject } from "../result.ts";
import { THREAD_BYTES } from "../semantics/probe.ts";
import { type StrategyRun, startRun } from "../strategy/run.ts";
import type { SparseStrategy } from "../strategy/strategy.ts";
import { requiredBytes } from "../workload/workload.ts";

const MEMORY_BYTES = 2 ** 20;

/**
 * Create one sparse resource, bind a block into it, destroy it, and count at each point.
 *
 * @param strategy - how sparse is said
 * @param bytes - size of the resource
 */
export async function account(
  strategy: SparseStrategy,
  bytes: number = THREAD_BYTES,
): Promise<AccountingResult> {
  const run = await startRun(strategy);
  const { blockBytes } = strategy;
  const resource = "resource";
  const memory = "memory";
  const opened = lookAt(run, "opened");
  run.perform({ step: "create", resource, size: bytes });
  const created = lookAt(run, "created");
  run.perform({ step: "allocate", memory, size: MEMORY_BYTES });
  const allocated = lookAt(run, "allocated");
  const offset = Math.floor(bytes / 2 / blockBytes) * blockBytes;
  const binds = [{ offset, size: blockBytes, memory: { object: memory, offset: 0 } }];
  run.perform({ step: "bind", resource, binds });
  const bound = lookAt(run, "tile-bound");
  run.perform({ step: "destroy", resource });
  const destroyed = lookAt(run, "destroyed");
  const sparse = minus(created, opened);
  return {
    strategy: strategy.name,
    resourceBytes: requiredBytes(bytes, blockBytes),
    memoryBytes: requiredBytes(MEMORY_BYTES, blockBytes),
    moments: [opened, created, allocated, bound, destroyed],
    sparse,
    tile: minus(bound, allocated),
    left: each((name) => destroyed.figures[name] - allocated.figures[name] + sparse[name]),
  };
}

function lookAt(run: StrategyRun, moment: AccountingMoment["moment"]): AccountingMoment {
  const { accounts } = run.session;
  const objects = [...accounts.objects()];
  const held = objects.map((gem) => heldObject(run, gem));
  const names = new Map(objects.map((gem, i) => [gem, (held[i] as HeldObject).role]));
  const locked = accounts.locked();
  const sheet = snapshot(run.session.counters);
  const backingBytes = sheet["backingBytes"] as number;
  const withHandle = held.filter((o) => o.handle !== 0);
  const visibleResidentBytes = sum(withHandle.map((o) => o.residentBytes));
  const vmBos = objects.filter((gem) => accounts.pairOf(gem)).length;
  return {
    moment,
    figures: {
      gpuvas: accounts.mappings,
      gpuvaBytes: accounts.mappings * accounts.mappingBytes,
      vmBos,
      vmBoBytes: vmBos * accounts.pairBytes,
      vmRefs: accounts.refs,
      vmBoRefs: sum(held.map((o) => o.refsOfVmBo)),
      gemRefs: sum(held.map((o) => o.refs)),
      handles: withHandle.length,
      visibleBytes: sum(withHandle.map((o) => o.bytes)),
      visibleResidentBytes,
      backingBytes,
      hiddenBytes: backingBytes - visibleResidentBytes,
      tableBytes: (sheet["tablesLive"] as number) * run.session.memory.tables.pageBytes,
      sparseVaBytes: sparseVaBytes(run),
      extobjs: accounts.externals,
      submitLocks: locked.length,
    },
    objects: held.filter((o) => o.handle !== 0 || o.residentBytes > 0 || o.gpuvas > 0),
    locked: locked.map((gem) => (gem === null ? "VM" : (names.get(gem) ?? "unknown"))),
  };
}

function heldObject(run: StrategyRun, gem: GemObject): HeldObject {
  const { accounts } = run.session;
  const handle = run.session.file.handleOf(gem);
  const pair = accounts.pairOf(gem);
  const handleRefs = handle === 0 ? 0 : 1;
  const vmBoRefs = accounts.pairsHold ? gem.vmBos.length : 0;
  return {
    role: roleOf(run, gem, handle),
    bytes: gem.size,
    residentBytes: gem.residentBytes,
    handle,
    external: accounts.isExternal(gem),
    refs: gem.refs,
    handleRefs,
    vmBoRefs,
    otherRefs: gem.refs - handleRefs - vmBoRefs,
    gpuvas: pair?.vaCount ?? 0,
    refsOfVmBo: pair?.refs ?? 0,
  };
}

function roleOf(run: StrategyRun, gem: GemObject, handle: number): string {
  if (handle === 0) return run.session.kernelRole(gem);
  return run.session.roles.get(handle) ?? "memory";
}

/** Bytes of VA that stand for "nothing is bound", the driver's own mappings of whole objects left out. */
function sparseVaBytes(run: StrategyRun): number {
  const { session, resources } = run;
  let bytes = 0;
  for (const { addr, range, kind, bo } of session.vm.mappings()) {
    if (kind !== "bo") bytes += range;
    else if (
      session.roles.has(bo) &&
      [...resources.values()].some((r) => addr >= r.va && addr < r.va + r.bytes)
    ) {
      bytes += range;
    }
  }
  for (const region of session.vm.regions ?? []) {
    bytes += region.range;
    for (const { range } of session.vm.mappings(region)) bytes -= range;
  }
  return bytes;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function minus(a: AccountingMoment, b: AccountingMoment): AccountingFigures {
  return each((name) => a.figures[name] - b.figures[name]);
}

function each(of: (name: keyof AccountingFigures) => number): AccountingFigures {
  return {
    gpuvas: of("gpuvas"),
    gpuvaBytes: of("gpuvaBytes"),
    vmBos: of("vmBos"),
    vmBoBytes: of("vmBoBytes"),
    vmRefs: of("vmRefs"),
    vmBoRefs: of("vmBoRefs"),
    gemRefs: of("gemRefs"),
    handles: of("handles"),
    visibleBytes: of("visibleBytes"),
    visibleResidentBytes: of("visibleResidentBytes"),
    backingBytes: of("backingBytes"),
    hiddenBytes: of("hiddenBytes"),
    tableBytes: of("tableBytes"),
    sparseVaBytes: of("sparseVaBytes"),
    extobjs: of("extobjs"),
    submitLocks: of("submitLocks"),
  };
}
