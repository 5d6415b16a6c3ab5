/**
 * All rules, in the order in which they are asked: what explains other findings comes before what it explains.
 *
 * @module
 */

import type { LintRule } from "./rule.ts";
import { arrayWritesTwice } from "./rules/array-writes-twice.ts";
import { bindOutsideObject } from "./rules/bind-outside-object.ts";
import { bindOutsideResource } from "./rules/bind-outside-resource.ts";
import { closeWhileBound } from "./rules/close-while-bound.ts";
import { costGrowsWithLive } from "./rules/cost-grows-with-live.ts";
import { fillerByRepetition } from "./rules/filler-by-repetition.ts";
import { holeInResource } from "./rules/hole-in-resource.ts";
import { invalidationPerPage } from "./rules/invalidation-per-page.ts";
import { leakAtDestroy } from "./rules/leak-at-destroy.ts";
import { mappedOver } from "./rules/mapped-over.ts";
import { misalignedBind } from "./rules/misaligned-bind.ts";
import { objectAtTwoAddresses } from "./rules/object-at-two-addresses.ts";
import { overlapInArray } from "./rules/overlap-in-array.ts";
import { pageBoundTwice } from "./rules/page-bound-twice.ts";
import { redundantOperation } from "./rules/redundant-operation.ts";
import { refusedCall } from "./rules/refused-call.ts";
import { secondView } from "./rules/second-view.ts";
import { shatteredBlock } from "./rules/shattered-block.ts";
import { unbindMissesBind } from "./rules/unbind-misses-bind.ts";
import { unjoinedOperations } from "./rules/unjoined-operations.ts";
import { useAfterClose } from "./rules/use-after-close.ts";
import { viewLeftBehind } from "./rules/view-left-behind.ts";
import { viewsDiffer } from "./rules/views-differ.ts";

/** Rules by the order in which they are asked. */
export const RULES: readonly LintRule[] = [
  useAfterClose,
  bindOutsideObject,
  refusedCall,
  closeWhileBound,
  bindOutsideResource,
  mappedOver,
  misalignedBind,
  unbindMissesBind,
  viewLeftBehind,
  viewsDiffer,
  holeInResource,
  pageBoundTwice,
  objectAtTwoAddresses,
  leakAtDestroy,
  overlapInArray,
  redundantOperation,
  unjoinedOperations,
  fillerByRepetition,
  secondView,
  invalidationPerPage,
  arrayWritesTwice,
  shatteredBlock,
  costGrowsWithLive,
];
