/**
 * The two leaf sizes of Panthor's page tables, and what follows from them: which one a stretch of addresses takes, and
 * how many tables to set aside before an operation runs (`panthor_mmu.c`, Linux 7.3-rc7).
 *
 * @module
 */

/** Bytes of a page, a leaf of level 3 (`SZ_4K`). */
export const PAGE_BYTES = 0x1000;
/** Bytes of a block, a leaf of level 2 (`SZ_2M`). */
export const BLOCK_2M = 0x200000;
/** Page sizes of the table, one bit each: 4 KiB and 2 MiB (`page_size_bitmap` of `panthor_drm.h`, Linux 7.3-rc7). */
export const PAGE_SIZE_BITMAP = 0x201000;

const GIB = 0x40000000;

/** Which leaf size a stretch of addresses takes, and how many leaves of it. */
export interface PageSizeChoice {
  /** Bytes of a leaf: 4 KiB or 2 MiB. */
  pageBytes: number;
  /** Leaves; they never cross a table. */
  count: number;
}

/**
 * Leaves of the next call, as one small integer.
 *
 * @param or - the address, or address | physical address, mod 1 GiB
 * @param bytes - what is left, a multiple of 4096
 * @returns that many pages when positive, that many blocks when negative
 * @internal
 */
export function pick(or: number, bytes: number): number {
  const toBlock = -or & (BLOCK_2M - 1);
  if (toBlock !== 0) return Math.min(toBlock, bytes) >>> 12;
  if (bytes < BLOCK_2M) return bytes >>> 12;
  const toGib = -or & (GIB - 1) || GIB;
  return -(Math.min(toGib, bytes) >>> 21);
}

/**
 * Choose the leaf size (`get_pgsize` of `panthor_mmu.c`, Linux 7.3-rc7).
 *
 * @param addr - address in bytes, or-ed with the physical address when mapping
 * @param bytes - what is left, a multiple of 4096
 */
export function pickPageSize(addr: number, bytes: number): PageSizeChoice {
  const n = pick(addr & (GIB - 1), bytes);
  return n < 0 ? { pageBytes: BLOCK_2M, count: -n } : { pageBytes: PAGE_BYTES, count: n };
}

/** How many aligned units of 1 / `perByte` bytes a range touches; an empty one at an unaligned address touches one. */
function unitsTouched(va: number, end: number, perByte: number): number {
  return Math.ceil(end * perByte) - Math.floor(va * perByte);
}

// Products with powers of two are exact, and cheaper than quotients.
const PER_512_GIB: number = 2 ** -39;
const PER_GIB: number = 2 ** -30;
const PER_BLOCK: number = 2 ** -21;

/**
 * Tables set aside for a MAP (`panthor_vm_prepare_map_op_ctx` of `panthor_mmu.c`, Linux 7.3-rc7): the most it could need,
 * whatever exists already and whether or not blocks are used.
 *
 * @param va - first address in bytes
 * @param size - bytes
 */
export function tablesForMap(va: number, size: number): number {
  const end = va + size;
  return (
    unitsTouched(va, end, PER_512_GIB) + unitsTouched(va, end, PER_GIB) + unitsTouched(va, end, PER_BLOCK)
  );
}

/**
 * Tables set aside for an UNMAP (`panthor_vm_prepare_unmap_op_ctx` of `panthor_mmu.c`, Linux 7.3-rc7): one for each end that
 * may cut a block.
 *
 * @param va - first address in bytes
 * @param size - bytes
 * @returns 0, 1 or 2
 */
export function tablesForUnmap(va: number, size: number): number {
  const end = va + size;
  const head = (va & (BLOCK_2M - 1)) !== 0 ? 1 : 0;
  const cutsTail = (end & (BLOCK_2M - 1)) !== 0;
  return head + (cutsTail && Math.ceil(end / BLOCK_2M) !== Math.ceil(va / BLOCK_2M) ? 1 : 0);
}
