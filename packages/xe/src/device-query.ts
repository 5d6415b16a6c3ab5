/**
 * What a device says about itself.
 *
 * @module
 */

import { DrmError, EFAULT, EINVAL, ENOSPC, EOPNOTSUPP, fail, type UserSpace } from "@vmbind/drm";
import { XeBo } from "./bo.ts";
import type { XeFile } from "./file.ts";
import { BLOCK_64K, PAGE_BYTES } from "./page-sizes.ts";
import * as uapi from "./uapi-query.ts";
import { XE2_GRAPHICS } from "./vm-bind-args.ts";

/** Bytes of a page-table page, an object of its own (`xe_pt.c`). */
const TABLE_BYTES = 4096;

/**
 * The rule for reserved members.
 *
 * @param values - members
 * @param field - their name
 * @throws `DrmError` EINVAL
 */
export function mustBeZero(values: readonly number[], field: string): void {
  if (values.some((value) => value !== 0)) fail(EINVAL, `${field}: must be 0`);
}

/**
 * DEVICE_QUERY: ask with size 0 for the size, then for the data.
 *
 * @param file - the caller
 * @param query - `drm_xe_device_query`
 * @param user - memory behind its pointer
 * @returns what to write back
 * @throws `DrmError` EINVAL, EFAULT, ENOSPC, EOPNOTSUPP
 */
export function deviceQuery(
  file: XeFile,
  query: uapi.DeviceQuery,
  user: UserSpace,
): Partial<uapi.DeviceQuery> {
  mustBeZero([query.extensions], "device_query.extensions");
  mustBeZero(query.reserved, "device_query.reserved");
  if (query.query > uapi.DEVICE_QUERY_LAST) fail(EINVAL, `device_query.query: ${query.query} is no query`);
  let data: Uint8Array;
  if (query.query === uapi.DEVICE_QUERY_CONFIG) data = queryConfig(file.device);
  else if (query.query === uapi.DEVICE_QUERY_MEM_REGIONS) data = queryMemRegions(file);
  else fail(EOPNOTSUPP, `device_query.query: query ${query.query} is not modelled`);

  if (query.size === 0) return { size: data.length };
  if (query.size !== data.length) {
    fail(EINVAL, `device_query.size: expected 0 or ${data.length}, got ${query.size}`);
  }
  try {
    user.write(query.data, data);
  } catch (error) {
    if (!(error instanceof DrmError)) throw error;
    fail(query.query === uapi.DEVICE_QUERY_MEM_REGIONS ? ENOSPC : EFAULT, "device_query.data: not writable");
  }
  return {};
}

function queryConfig({ platform, options }: XeFile["device"]): Uint8Array {
  const flags =
    (platform.vramBytes === 0 ? 0 : uapi.QUERY_CONFIG_FLAG_HAS_VRAM) |
    uapi.QUERY_CONFIG_FLAG_HAS_LOW_LATENCY |
    (platform.usm ? uapi.QUERY_CONFIG_FLAG_HAS_CPU_ADDR_MIRROR : 0) |
    (platform.graphics < XE2_GRAPHICS ? 0 : uapi.QUERY_CONFIG_FLAG_HAS_NO_COMPRESSION_HINT) |
    uapi.QUERY_CONFIG_FLAG_HAS_DISABLE_STATE_CACHE_PERF_FIX |
    uapi.QUERY_CONFIG_FLAG_HAS_PURGING_SUPPORT;
  const info: number[] = [];
  info[uapi.QUERY_CONFIG_REV_AND_DEVICE_ID] = platform.deviceId;
  info[uapi.QUERY_CONFIG_FLAGS] = flags;
  info[uapi.QUERY_CONFIG_MIN_ALIGNMENT] = platform.vram64kOnly ? BLOCK_64K : PAGE_BYTES;
  info[uapi.QUERY_CONFIG_VA_BITS] = platform.vaBits;
  // What the process may ask for: normal, or high.
  info[uapi.QUERY_CONFIG_MAX_EXEC_QUEUE_PRIORITY] = options.sysNice ? 2 : 1;
  return uapi.QUERY_CONFIG.encode({ numParams: info.length, info });
}

function queryMemRegions(file: XeFile): Uint8Array {
  const { platform, systemBytes, vramBytes } = file.device;
  const used = usedBytes(file.device);
  const regions: Partial<uapi.MemRegion>[] = [
    {
      memClass: uapi.MEM_REGION_CLASS_SYSMEM,
      instance: 0,
      minPageSize: PAGE_BYTES,
      totalSize: systemBytes,
      used: used.system,
    },
  ];
  if (vramBytes !== 0) {
    // All of VRAM is visible to the CPU, as with a BAR of full size.
    regions.push({
      memClass: uapi.MEM_REGION_CLASS_VRAM,
      instance: 1,
      minPageSize: platform.vram64kOnly ? BLOCK_64K : PAGE_BYTES,
      totalSize: vramBytes,
      used: used.vram,
      cpuVisibleSize: vramBytes,
      cpuVisibleUsed: used.vram,
    });
  }
  const out = new Uint8Array(8 + regions.length * uapi.MEM_REGION.size);
  const view = new DataView(out.buffer);
  view.setUint32(0, regions.length, true);
  regions.forEach((region, i) => {
    uapi.MEM_REGION.write(view, 8 + i * uapi.MEM_REGION.size, region);
  });
  return out;
}

/**
 * What is in use of each region: the memory of objects where it is now, and page tables, which are objects of 4 KiB in
 * VRAM, or in system memory on a part without. Pages of processes (MAP_USERPTR) are the process's, not the driver's. Looked
 * at each time: nothing can forget to count.
 */
function usedBytes({ platform, gems, memory }: XeFile["device"]): { system: number; vram: number } {
  const used = { system: 0, vram: 0 };
  for (const gem of gems.values()) {
    if (!(gem instanceof XeBo)) continue;
    used[gem.vram ? "vram" : "system"] += gem.residentBytes;
  }
  used[platform.vramBytes === 0 ? "system" : "vram"] += memory.tables.live * TABLE_BYTES;
  return used;
}
