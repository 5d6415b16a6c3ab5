/**
 * A Mali GPU with null entries, as Intel's have them: MAP_SPARSE as panvk sends it, with nothing behind the range. An entry is null when
 * its access flag is clear, which no driver writes: then loads give 0 and stores are dropped.
 */

import { panthorStrategy } from "@vmbind/lab/panthor";
import {
  IOMMU_NOEXEC,
  IOMMU_READ,
  IOMMU_WRITE,
  lpae4k,
  lpaeLeafHi,
  lpaeLeafLo,
  type PageTableFormat,
  ScatterList,
  withLevels,
} from "@vmbind/mmu";
import { BLOCK_2M, PAGE_BYTES, PageTable } from "@vmbind/panthor";

const ACCESS_FLAG = 1 << 10;
const TYPE_MASK = 3;
const PROT = IOMMU_READ | IOMMU_WRITE | IOMMU_NOEXEC;

/** What the GPU would have to understand. */
function withNullEntries(vaBits: number): PageTableFormat {
  return withLevels(lpae4k(vaBits), ({ mayBeLeaf, below, rights }) =>
    mayBeLeaf
      ? {
          nullMask: TYPE_MASK | ACCESS_FLAG,
          nullBits: below === null ? 3 : 1,
          rights: (lo, hi) => rights(lo | ACCESS_FLAG, hi),
        }
      : {},
  );
}

/** What the driver would write. */
class NullEntries extends PageTable {
  protected override mapSparse(_flags: number, va: number, size: number): number {
    const end = va + size;
    for (let at = va; at < end; ) {
      const toBlock = BLOCK_2M - (at % BLOCK_2M);
      const isBlock = toBlock === BLOCK_2M && end - at >= BLOCK_2M;
      const bytes = isBlock ? BLOCK_2M : Math.min(toBlock, end - at);
      const lo = lpaeLeafLo(isBlock ? 2 : 3, PROT) & ~ACCESS_FLAG;
      const hi = lpaeLeafHi(PROT);
      const ret = isBlock
        ? this.io.mapSameBlock(at, 0, 1, lo, hi)
        : this.io.mapSamePage(at, 0, bytes / PAGE_BYTES, lo, hi);
      if (ret < 0) return ret;
      at += bytes;
    }
    return 0;
  }
}

export default panthorStrategy({
  name: "panthor-null",
  says: "MAP_SPARSE with null entries in the hardware, no memory behind them",
  reportsStrict: true,
  // The object that MAP_SPARSE names has no memory.
  options: { dummyPages: ScatterList.of([]) },
  parts: { PageTable: NullEntries, format: withNullEntries },
});
