/**
 * One 2 MiB page of zeros that all processes share behind every sparse range, since nobody can write to it: MAP_SPARSE as panvk sends it, another
 * page table in the driver.
 */

import { panthorStrategy } from "@vmbind/lab/panthor";
import type { ScatterList } from "@vmbind/mmu";
import { MAP_READONLY, PageTable } from "@vmbind/panthor";

class ReadOnlyZero extends PageTable {
  protected override mapSparse(flags: number, va: number, size: number, zeros: ScatterList): number {
    return super.mapSparse(flags | MAP_READONLY, va, size, zeros);
  }
}

export default panthorStrategy({
  name: "panthor-read-only-zero",
  says: "MAP_SPARSE over one 2 MiB page of zeros for all, which nobody can write to",
  note: "Loads of unbound pages give 0, stores fault: no client can leave anything there for another.",
  options: { quirks: { deviceWideDummy: true } },
  parts: { PageTable: ReadOnlyZero },
});
