/** Vectors of each format with something wrong in them: see `vector-mutants.ts`. */

import { vectorChecks as asahi } from "@vmbind/asahi/conformance";
import { vectorChecks as core } from "@vmbind/gpuvm-core/conformance";
import { vectorChecks as msm } from "@vmbind/msm/conformance";
import { vectorChecks as nouveau } from "@vmbind/nouveau/conformance";
import { vectorChecks as panthor } from "@vmbind/panthor/conformance";
import { vectorChecks as xe } from "@vmbind/xe/conformance";
import { mutationTests } from "./vector-mutants.ts";

mutationTests(vectorsOf("gpuvm-core"), core, {
  "gpuvm-steps": { expected: /^(?:ops\[\]\.(?:ret|steps|insert_failed)|final)\b/ },
  "gpuvm-repeat-hazards": {
    expected:
      /^(?:ops\[\]\.(?:ret|steps|right_steps|keep_differs)|final|right_final|hazards|pages_wrong|pages_wrong_total|tail_lost_by_floor_count)\b/,
  },
  "gpuvm-lookup": { expected: /^(?:ops\[\]\.(?:ret|result)|final)\b/ },
  "gpuvm-refs": {
    expected: /^(?:ops\[\]\.(?:ret|steps|refs|locked|evict_before_validate|validate_ret)|final)\b/,
  },
});

mutationTests(vectorsOf("panthor"), panthor, {
  "panthor-pgtable": {
    expected:
      /^(?:ops\[\]\.(?:ret|stage|stats|mapped|unmapped|pt_used|pt_freed|warns)|tables|leaves|entries|digest|ptes|vma_count|vmas|translate\[\]\[\]\.1)\b/,
    // Cases have a dummy that map none of it, and objects of other VMs that nobody maps.
    idle: /^(?:note|dummy|bos\[\]\.exclusive)$/,
  },
  "panthor-units": {
    expected: /^(?:value|start|locked|pgsize|pgcount|tables|ret|out_user_va_range|kernel_range)\b/,
  },
});

mutationTests(vectorsOf("asahi"), asahi, {
  "asahi-pgtable": {
    expected: /^(?:ops\[\]\.(?:ret|steps)|tables|ptes|vas|vas_count|vm_bo_refs|translate\[\]\[\]\.1)\b/,
  },
  "asahi-tlbi": { expected: /^insns\b/ },
  "asahi-uapi": { expected: /^(?:bytes|fields|request|ops|ops_driver|error_driver)\b/ },
});

mutationTests(vectorsOf("nouveau"), nouveau, {
  "nouveau-vmbind": {
    expected: /^(?:steps\[\]\.(?:out|check|translate\[\]\[\]\.1)|final|translate\[\]\[\]\.1|fini)\b/,
    // Syncs and paddings may change nothing; a case need not say how often the kernel warned, nor a check what a walk finds.
    idle: /^(?:steps\[\]\.(?:translate|bind\.(?:wait|sig|ops\[\]\.pad))|fini\.warn)$/,
  },
});

mutationTests(vectorsOf("xe"), xe, {
  "xe-ppgtt": {
    expected:
      /^(?:ops\[\]\.(?:ret|stats|tlb|warn|after)|tables|dirs|ptes|vmas|refs|translate\[\]\[\]\.[12])\b/,
    // An object may be given up that nobody maps.
    idle: /^(?:note|bos\[\]\.dontneed)$/,
  },
  "xe-vmbind-args": { expected: /^(?:pre\[\]\.ret|ret|vmas_after)\b/, idle: /^(?:note|bos\[\]\.dontneed)$/ },
});

mutationTests(vectorsOf("msm"), msm, {
  "msm-vmbind": {
    expected:
      /^(?:ops\[\]\.(?:ret|out_fence_fd|done|ran|retained|fence|signaled|pa|stats|steps|nsteps)|ops\[\]\.bos\[\]|final\.(?!translate)|final\.translate\[\]\[\]\.1|close)\b/,
    // Members of the argument have defaults, and counts of nothing may be left out.
    idle: /^ops\[\](?:\([a-z_]+\))?\.(?:fence_fd|nin|nout|in_ptr|out_ptr|stats\.cleans)$/,
  },
  "msm-uapi": { expected: /^calls\[\]\.(?:ret|arg_out)\b/ },
  "msm-units": { expected: /^tables\b/ },
});

function vectorsOf(name: string): URL {
  return new URL(`../../${name}/test/vectors/`, import.meta.url);
}
