/**
 * Sizes that the driver's rules are about: the page of system memory, and the block of VRAM on parts with 64 KiB pages
 * there (`XE_PAGE_SIZE`, `SZ_64K` in `xe_pt.c` and `xe_vm.c`, Linux 7.3-rc7).
 *
 * @module
 */

/** Bytes of a page. */
export const PAGE_BYTES = 0x1000;
/** Bytes of a 64 KiB block. */
export const BLOCK_64K = 0x1_0000;
