/** REPEAT with care: whole windows of 2 MiB, which are blocks, and a MAP for what sticks out at either end. */

import { panthorStrategy } from "@vmbind/lab/panthor";
import { BLOCK_2M, MAP_REPEAT, type PanvkOp } from "@vmbind/panthor";

export default panthorStrategy({
  name: "panthor-repeat-tail",
  says: "MAP_REPEAT for whole 2 MiB windows, one MAP for the rest",
  // The driver has the operation, and panvk an object of 2 MiB to repeat.
  like: "repeat",
  unbound(op): PanvkOp[] {
    const end = op.va + op.size;
    const first = Math.min(end, Math.ceil(op.va / BLOCK_2M) * BLOCK_2M);
    const last = Math.max(first, Math.floor(end / BLOCK_2M) * BLOCK_2M);
    return [
      { ...op, boOffset: op.va % BLOCK_2M, size: first - op.va },
      { ...op, flags: op.flags | MAP_REPEAT, va: first, size: last - first, boRepeatRange: BLOCK_2M },
      { ...op, va: last, size: end - last },
    ].filter(({ size }) => size > 0);
  },
});
