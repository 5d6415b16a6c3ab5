/**
 * Format `gpuvm-refs`: reference counts and lists after every operation, with the four combinations of VM flags.
 *
 * @module
 */

import { mismatch, type VectorCheck } from "@vmbind/drm/conformance";
import { type VmBo, vmBosOf } from "../vm-bo.ts";
import { VectorVm } from "./model.ts";
import type { Json } from "./step-log.ts";

const OBJECTS = [0, 1, 2, 3];

/** See the module comment. */
export const checkRefs: VectorCheck = (testCase) => {
  const config = testCase["vm"] as Json;
  const model = new VectorVm(config, {
    repeat: "upstream",
    privateGems: testCase["private_gems"] as number[],
    resvProtected: config["resv_protected"] === true,
    immediateMode: config["immediate_mode"] === true,
  });
  for (const id of OBJECTS) model.object(id);
  for (const [i, op] of (testCase["ops"] as Json[]).entries()) {
    const found = mismatch(`ops[${i}]`, op, { ...op, ...run(model, op), refs: references(model) });
    if (found) return found;
  }
  return model.checkFinal(testCase["final"]);
};

function run(model: VectorVm, op: Json): Json {
  const { vm } = model;
  switch (op["op"]) {
    case "gem_evict":
      for (const vmBo of vmBosOf(model.object(op["gem"] as number))) vm.evict(vmBo, op["evict"] === true);
      return { ret: 0 };
    case "deferred_cleanup":
      vm.deferredCleanup();
      return { ret: 0 };
    case "exec_lock_validate": {
      const exec = vm.execLock({ ignoreDuplicates: true });
      const before = vm.evictList().map((vmBo) => model.idOf(vmBo.gem));
      const ret = vm.validate((vmBo) => {
        vm.evict(vmBo, false);
        return 0;
      });
      return {
        ret: 0,
        locked: exec.locked.map((gem) => model.idOf(gem)),
        evict_before_validate: before,
        validate_ret: ret,
      };
    }
    default:
      return model.run(op);
  }
}

function describe(model: VectorVm, vmBo: VmBo): Json {
  return { gem: model.idOf(vmBo.gem), zombie: vmBo.refs === 0 };
}

function references(model: VectorVm): Json {
  const { vm } = model;
  const gems = OBJECTS.map((id) => model.object(id));
  return {
    vm: vm.refs,
    gems: gems.map((gem) => gem.refs),
    vm_bos: gems.flatMap((gem) =>
      vmBosOf(gem).map((vmBo) => ({
        gem: model.idOf(gem),
        refs: vmBo.refs,
        vas: vmBo.vaCount,
        on_extobj: vm.extobjs().includes(vmBo),
        on_evict: vm.evictList().includes(vmBo),
        evicted: vmBo.evicted,
      })),
    ),
    extobj: vm.extobjs().map((vmBo) => describe(model, vmBo)),
    evict: vm.evictList().map((vmBo) => describe(model, vmBo)),
    bo_defer: vm.boDefer().map((vmBo) => model.idOf(vmBo.gem)),
  };
}
