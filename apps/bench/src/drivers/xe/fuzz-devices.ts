/**
 * The devices that xe is fuzzed on: platforms with 4 and 64 KiB pages of VRAM and without, memory in one run and scattered, the quirks of
 * real drivers and none.
 *
 * @module
 */

import { quirksOf, RECORDED_PROFILE } from "@vmbind/drm";
import { LINUX_QUIRKS, QUIRKS } from "@vmbind/xe";

const PAGE = 4096;
const GIB = 0x4000_0000;

/** As headers of traces give them. */
export const DEVICES: readonly Readonly<Record<string, unknown>>[] = [
  device("Intel Arc B580 (BMG G21, Xe2)", "0xe20b", 4096, 12, "contiguous"),
  device("Intel Arc A770 (DG2 G10, Xe-HPG)", "0x56a0", 65536, 16, "contiguous"),
  device("Lunar Lake (LNL, Xe2)", "0x64a0", 4096, 0, "scattered"),
  { ...device("Lunar Lake (LNL, Xe2)", "0x64a0", 4096, 0, "huge"), quirks: [] },
  { ...device("Intel Arc A770 (DG2 G10, Xe-HPG)", "0x56a0", 65536, 16, "huge"), quirks: [] },
  { ...device("Intel Arc B580 (BMG G21, Xe2)", "0xe20b", 4096, 12, "huge"), quirks: switched() },
  { ...device("Intel Arc A770 (DG2 G10, Xe-HPG)", "0x56a0", 65536, 16, "contiguous"), quirks: switched() },
  { ...device("Lunar Lake (LNL, Xe2)", "0x64a0", 4096, 0, "scattered"), quirks: Object.keys(LINUX_QUIRKS) },
  { ...device("Ponte Vecchio (Xe-HPC)", "0xbd5", 65536, 64, "contiguous"), va_bits: 57, quirks: [] },
  // What madvise gives up goes at once.
  {
    ...device("Intel Arc B580 (BMG G21, Xe2)", "0xe20b", 4096, 12, "huge"),
    quirks: [],
    memory_pressure: true,
  },
  { ...device("Lunar Lake (LNL, Xe2)", "0x64a0", 4096, 0, "scattered"), memory_pressure: true },
  // In system memory, where objects that a refused call populated take nothing from page tables.
  {
    ...device("Lunar Lake (LNL, Xe2)", "0x64a0", 4096, 0, "huge"),
    quirks: [],
    table_limit_bytes: 96 * PAGE,
  },
];

/** Names of the quirks that the profile of recordings, which the first devices have, leaves out. */
function switched(): string[] {
  return Object.entries(quirksOf(QUIRKS, RECORDED_PROFILE)).flatMap(([name, on]) => (on ? [] : [name]));
}

function device(
  name: string,
  pci_id: string,
  min_alignment: number,
  vramGib: number,
  bo_fragmentation: string,
) {
  const regions = [{ instance: 0, class: "sysmem", size: "0x800000000", min_page_size: 4096 }];
  const vram = {
    instance: 1,
    class: "vram",
    size: `0x${(vramGib * GIB).toString(16)}`,
    min_page_size: min_alignment,
  };
  return {
    device: name,
    pci_id,
    va_bits: 48,
    min_alignment,
    mem_regions: vramGib === 0 ? regions : [...regions, vram],
    bo_fragmentation,
  };
}
