/**
 * A bind costs the more, the more is bound already.
 *
 * @module
 */

import { counted } from "@vmbind/drm";
import { formatNumber } from "../../words.ts";
import type { LintCall, LintRule } from "../rule.ts";

/** Calls from which a trend can be told. */
const FEWEST = 12;
/** How much more is live in the last third than in the first. */
const LIVE_FACTOR = 4;
/** How much more an operation costs there. */
const COST_FACTOR = 3;

/** See the module. */
export const costGrowsWithLive: LintRule = {
  id: "cost-grows-with-live",
  title: "a bind costs the more, the more is bound already",
  category: "cost",
  severity: "warning",
  what: "Calls that bind memory in sparse resources, all operations of a length, twelve or more of them: where four times as many mappings are live, the median operation takes three times as many steps and entries, or what the client asked for takes three times as many operations. One finding for a trace.",
  why: "A client that sends everything again with each bind, or a driver that goes through all that is live, is quick in a test and slow in a game: 16384 tiles bound one by one then cost the square of that.",
  advice: "send what changed only; keep what is live in a tree, not in a list",
  examples: {
    bad: `
object 1 2MiB
sparse 0x1000000 2MiB
grow 0x1000000 object 1 calls=16 writes=all
unmap 0x1000000 2MiB`,
    good: `
object 1 2MiB
sparse 0x1000000 2MiB
grow 0x1000000 object 1 calls=16 writes=own
unmap 0x1000000 2MiB`,
  },
  start(context) {
    const seen: { call: LintCall; range: number; live: number; cost: number; asked: number | null }[] = [];
    return {
      call(call) {
        const { vm, changes, cost, asked } = call;
        const [first] = changes;
        if (vm === null || first === undefined) return;
        const alike = changes.every(
          ({ resource, makes, op }) =>
            resource !== null &&
            !makes &&
            op.effect === "map" &&
            op.sparse === undefined &&
            op.range === first.op.range,
        );
        if (!alike) return;
        const work = (cost["pteWrites"] ?? 0) + (cost["pteClears"] ?? 0);
        const pages = changes.reduce((sum, { op }) => sum + op.range, 0) / context.pageBytes;
        seen.push({
          call,
          range: first.op.range,
          live: vm.pieces.size,
          cost: work / Math.max(1, pages),
          asked: asked === null ? null : changes.length / Math.max(1, asked),
        });
      },
      end() {
        const range = median(seen.map((one) => one.range));
        const alike = seen.filter((one) => one.range === range);
        if (alike.length < FEWEST) return;
        const third = Math.floor(alike.length / 3);
        const byLive = [...alike].sort((a, b) => a.live - b.live);
        const few = byLive.slice(0, third);
        const many = byLive.slice(-third);
        const liveFew = median(few.map(({ live }) => live));
        const liveMany = median(many.map(({ live }) => live));
        if (liveMany < liveFew * LIVE_FACTOR) return;
        const costFew = median(few.map(({ cost }) => cost));
        const costMany = median(many.map(({ cost }) => cost));
        const opsFew = median(few.flatMap(({ asked }) => asked ?? []));
        const opsMany = median(many.flatMap(({ asked }) => asked ?? []));
        const isCost = costFew > 0 && costMany >= costFew * COST_FACTOR;
        const isOps = opsFew > 0 && opsMany >= opsFew * COST_FACTOR;
        if (!isCost && !isOps) return;
        const last = many.at(-1)?.call;
        const addr = last?.changes[0]?.ref.addr;
        if (last === undefined) return;
        const text = isCost
          ? `a bound page takes ${formatNumber(costMany)} leaf entries where ${counted(liveMany, "mapping")} are live, and ${formatNumber(costFew)} where ${liveFew} are`
          : `a bind of the client takes ${formatNumber(opsMany)} operations where ${counted(liveMany, "mapping")} are live, and ${formatNumber(opsFew)} where ${liveFew} are`;
        context.report({
          at: last.ref,
          ...(last.vm !== null && { vm: last.vm.id }),
          ...(addr !== undefined && { addr }),
          text,
        });
      },
    };
  },
};

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
