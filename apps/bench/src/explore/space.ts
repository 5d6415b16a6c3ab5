/**
 * What is mapped behind an ioctl, and the bars that show it. The command draws them for a page without JavaScript, the
 * page's script for the ioctl that is chosen.
 *
 * @module
 */

import { hex } from "@vmbind/drm";
import type { MappingTuple, Moment, Region, TraceStory } from "@vmbind/trace";
import { formatBytes } from "../report/bytes.ts";

/** Width of a bar before it is stretched. */
export const UNITS = 1000;

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
 * @param index - of a kind of mappings
 * @returns its colour
 */
export function kindColour(index: number): string {
  return `var(--s${[4, 3, 2, 5, 1, 6][index % 6]})`;
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
  const mapped = mappingsAfter(story, seq);
  const came = new Set(moments[seq]?.added.map(([vm, addr]) => `${vm} ${addr}`));
  return regions.map((region) => {
    const boxes = mapped
      .filter(([vm, addr]) => vm === region.vm && addr >= region.addr && addr < region.addr + region.range)
      .map((mapping): Box => {
        const [vm, addr, range, kind] = mapping;
        const width = (range / region.range) * UNITS;
        return {
          x: ((addr - region.addr) / region.range) * UNITS,
          width,
          fill: kindColour(kind),
          stroke: width > 4 ? "var(--paper)" : "none",
          text: mappingText(mapping, kinds),
          fresh: came.has(`${vm} ${addr}`),
        };
      });
    return { region, label: `VM ${region.vm} at ${hex(region.addr)}: ${boxes.length} mappings`, boxes };
  });
}

function mappingText([, addr, range, kind, bo, offset]: MappingTuple, kinds: readonly string[]): string {
  return `${kinds[kind]} ${hex(addr)}, ${formatBytes(range)}${bo ? `, BO ${bo} + ${hex(offset)}` : ""}`;
}
