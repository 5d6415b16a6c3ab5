/**
 * What is mapped behind an ioctl, and the bars that show it. The command draws them for a page without JavaScript, the
 * page's script for the ioctl that is chosen.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { MappingTuple, Moment, Region, TraceStory } from "@vmbind/trace";
import { formatBytes } from "../report/bytes.ts";
import { mappingColour } from "../report/palette.ts";

/** Width of a bar before it is stretched. */
export const UNITS = 1000;

/** More boxes in a bar are {@link merged}. */
const BOXES_MAX = 2 * UNITS;

/** What of a story the bars show. */
export interface SpaceStory extends Pick<TraceStory, "kinds" | "regions"> {
  /** The ioctls in order: mappings that came and went. */
  moments: readonly Pick<Moment, "added" | "removed">[];
}

/** A mapping in the bar of a region. */
export interface Box {
  /** Where it begins, 0 to {@link UNITS}. */
  x: number;
  /** How much of the bar it takes. */
  width: number;
  /** Colour of its kind. */
  fill: string;
  /** Colour of its edge: a gap between neighbours, unless it would eat them. */
  stroke: string;
  /** What it is. */
  text: string;
  /** Whether it came with this ioctl. */
  fresh: boolean;
}

/** The bar of a region. */
export interface Bar {
  /** The region. */
  region: Region;
  /** What it shows, in words. */
  label: string;
  /** The mappings in it. */
  boxes: Box[];
}

/**
 * @param story - what happened
 * @param seq - an ioctl
 * @returns the mappings behind it
 */
export function mappingsAfter({ moments }: Pick<SpaceStory, "moments">, seq: number): MappingTuple[] {
  const mapped = new Map<string, MappingTuple>();
  for (const { added, removed } of moments.slice(0, seq + 1)) {
    for (const [vm, addr] of removed) mapped.delete(`${vm} ${addr}`);
    for (const mapping of added) mapped.set(`${mapping[0]} ${mapping[1]}`, mapping);
  }
  return [...mapped.values()];
}

/**
 * @param story - what happened
 * @param seq - an ioctl
 * @returns a bar for every region, with its mappings behind the ioctl
 */
export function barsAfter(story: SpaceStory, seq: number): Bar[] {
  const { kinds, moments, regions } = story;
  const mapped = mappingsAfter(story, seq).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const came = new Set(moments[seq]?.added.map(([vm, addr]) => `${vm} ${addr}`));
  const bars = regions.map((region): Bar => ({ region, label: "", boxes: [] }));
  // Regions are in the order of VMs and addresses, too, and each mapping lies in one.
  let at = 0;
  for (const mapping of mapped) {
    const [vm, addr, range, kind] = mapping;
    while (at < bars.length && isBehind(bars[at]?.region as Region, vm, addr)) at++;
    const bar = bars[at];
    if (bar === undefined) break;
    const { region } = bar;
    if (region.vm !== vm || addr < region.addr) continue;
    const width = (range / region.range) * UNITS;
    bar.boxes.push({
      x: ((addr - region.addr) / region.range) * UNITS,
      width,
      fill: mappingColour(kinds[kind] ?? ""),
      stroke: width > 4 ? "var(--paper)" : "none",
      text: mappingText(mapping, kinds),
      fresh: came.has(`${vm} ${addr}`),
    });
  }
  for (const bar of bars) {
    bar.label = `VM ${bar.region.vm} at ${hex(bar.region.addr)}: ${bar.boxes.length} mappings`;
    if (bar.boxes.length > BOXES_MAX) bar.boxes = merged(bar.boxes);
  }
  return bars;
}

/** Boxes of one colour that begin in the same unit of a bar, as one: nobody sees them apart. */
function merged(boxes: readonly Box[]): Box[] {
  const runs: { first: Box; last: Box; count: number; fresh: boolean }[] = [];
  for (const box of boxes) {
    const run = runs.at(-1);
    if (run && run.first.fill === box.fill && Math.floor(run.first.x) === Math.floor(box.x)) {
      run.last = box;
      run.count++;
      run.fresh ||= box.fresh;
    } else runs.push({ first: box, last: box, count: 1, fresh: box.fresh });
  }
  return runs.map(({ first, last, count, fresh }) =>
    count === 1
      ? first
      : {
          ...first,
          width: last.x + last.width - first.x,
          stroke: "none",
          text: `${count} mappings, the first: ${first.text}`,
          fresh,
        },
  );
}

/** Whether an address lies behind a region. */
function isBehind(region: Region, vm: number, addr: number): boolean {
  return region.vm < vm || (region.vm === vm && region.addr + region.range <= addr);
}

function mappingText([, addr, range, kind, bo, offset]: MappingTuple, kinds: readonly string[]): string {
  return `${kinds[kind]} ${hex(addr)}, ${formatBytes(range)}${bo ? `, BO ${bo} + ${hex(offset)}` : ""}`;
}
