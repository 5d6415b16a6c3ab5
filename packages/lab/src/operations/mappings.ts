/**
 * What is mapped in a VM, in the words of a program.
 *
 * @module
 */

import { type GemObject, hex } from "@vmbind/drm";
import type { SparseSession } from "../strategy/strategy.ts";
import type { MappingAnswer, StrategyAnswer } from "./answer.ts";
import { nameOfObject } from "./gpu-sight.ts";

/** Mappings that are kept. */
const MAPPINGS_MAX = 256;

/**
 * @param session - a session
 * @param names - what a program calls the objects that it has allocated
 * @returns its first mappings and sparse regions, ascending, and how many there are
 */
export function mappingsOf(
  session: SparseSession,
  names: ReadonlyMap<GemObject, string>,
): Pick<StrategyAnswer, "mappings" | "mappingCount"> {
  const { vm } = session;
  const found: MappingAnswer[] = [];
  for (const { addr, range, kind, gem, offset } of vm.mappings()) {
    const name = gem === null ? "" : nameOfObject(session, names, gem);
    const object = gem !== null && names.has(gem) ? `${name} + ${hex(offset)}` : name;
    found.push({ addr, range, kind, object });
  }
  for (const { addr, range } of vm.regions ?? []) found.push({ addr, range, kind: "region", object: "" });
  found.sort((a, b) => a.addr - b.addr || b.range - a.range);
  return { mappings: found.slice(0, MAPPINGS_MAX), mappingCount: found.length };
}
