/**
 * INFO about the hardware (`amdgpu_kms.c`, `amdgpu_drm.h`, Linux 7.3-rc7): engines, firmware, registers, and of the device what has
 * nothing to do with memory. Values are those of a Navi 21 as far as a Vulkan driver asks for them to start.
 *
 * @module
 */

/** Queries of `AMDGPU_INFO_` that are answered here. */
const QUERY = {
  accelWorking: 0x00,
  hwIpInfo: 0x02,
  hwIpCount: 0x03,
  fwVersion: 0x0e,
  readMmrReg: 0x15,
  devInfo: 0x16,
  videoCaps: 0x21,
  maxIbs: 0x22,
} as const;

const HW_IP_BYTES = 48;
/** `AMDGPU_HW_IP_`: graphics, compute, copies. */
const RINGS: ReadonlyMap<number, { readonly version: readonly [number, number]; readonly rings: number }> =
  new Map([
    [0, { version: [10, 3], rings: 0x1 }],
    [1, { version: [10, 3], rings: 0xf }],
    [2, { version: [5, 2], rings: 0x3 }],
  ]);

/** Members of `drm_amdgpu_info_device` by byte, u32 each: what the model leaves zero. */
const NAVI21: readonly (readonly [at: number, value: number])[] = [
  [0, 0x73bf], // device_id
  [4, 0x28], // chip_rev
  [8, 0x28], // external_rev
  [12, 0xc3], // pci_rev
  [16, 143], // family: AMDGPU_FAMILY_NV
  [20, 4], // num_shader_engines
  [24, 2], // num_shader_arrays_per_engine
  [28, 100_000], // gpu_counter_freq, kHz
  [32, 2_475_000], // max_engine_clock, kHz
  [40, 1_000_000], // max_memory_clock, kHz
  [48, 80], // cu_active_number
  [120, 0xffff], // enabled_rb_pipes_mask
  [124, 16], // num_rb_pipes
  [128, 8], // num_hw_gfx_contexts
  [132, 4], // pcie_gen
  [176, 9], // vram_type: GDDR6
  [180, 256], // vram_bit_width
  [188, 1], // gc_double_offchip_lds_buf
  [240, 32], // wave_front_size
  [244, 1024], // num_shader_visible_vgprs
  [248, 10], // num_cu_per_sh
  [252, 16], // num_tcc_blocks
  [256, 32], // gs_vgt_table_depth
  [260, 1792], // gs_prim_buffer_depth
  [264, 32], // max_gs_waves_per_vgt
  [268, 16], // pcie_num_lanes
  [384, 16], // tcp_cache_size, KiB
  [388, 1], // num_sqc_per_wgp
  [392, 16], // sqc_data_cache_size, KiB
  [396, 32], // sqc_inst_cache_size, KiB
  [400, 128], // gl1c_cache_size, KiB
  [404, 4096], // gl2c_cache_size, KiB
  [408, 128 * 2 ** 20], // mall_size
];
/** `cu_bitmap`: for each of 4 shader engines 4 arrays, of which this GPU has 2 with 10 CUs each. */
const CU_BITMAP = { at: 56, engines: 4, arrays: 2, stride: 16, cus: 0x3ff } as const;
/** `mmGB_ADDR_CONFIG` of a Navi 21, and its value: 16 pipes. */
const GB_ADDR_CONFIG = { register: 0x263e, value: 0x444 } as const;

/**
 * @param query - `AMDGPU_INFO_` number
 * @param word - the first word of the query's own members
 * @param bytes - how much the caller has room for
 * @returns the answer, null for a query that is not answered here
 */
export function hardwareInfo(query: number, word: number, bytes: number): Uint8Array | null {
  switch (query) {
    case QUERY.accelWorking:
      return words(1);
    case QUERY.hwIpInfo:
      return hwIpInfo(word);
    case QUERY.hwIpCount:
      return words(RINGS.has(word) ? 1 : 0);
    case QUERY.fwVersion:
      return words(0x50, 0x50);
    case QUERY.readMmrReg:
      return words(
        ...new Array(Math.min(bytes, 4096) >> 2).fill(
          word === GB_ADDR_CONFIG.register ? GB_ADDR_CONFIG.value : 0,
        ),
      );
    case QUERY.videoCaps:
      return new Uint8Array(Math.min(bytes, 4096));
    case QUERY.maxIbs:
      return words(192, 125, 192, 16, 16, 16, 16, 16, 16, 16);
    default:
      return null;
  }
}

/** Put what the model does not know into its answer to DEV_INFO. */
export function completeDevice(device: DataView): void {
  const put = (at: number, value: number) => {
    if (at + 4 <= device.byteLength) device.setUint32(at, value, true);
  };
  for (const [at, value] of NAVI21) put(at, value);
  const { at, engines, arrays, stride, cus } = CU_BITMAP;
  for (let i = 0; i < engines * arrays; i++)
    put(at + stride * Math.floor(i / arrays) + 4 * (i % arrays), cus);
}

/** Whether a query is DEV_INFO. */
export function isDeviceQuery(query: number): boolean {
  return query === QUERY.devInfo;
}

function hwIpInfo(type: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(HW_IP_BYTES));
  const ip = RINGS.get(type);
  if (ip !== undefined) {
    view.setUint32(0, ip.version[0], true);
    view.setUint32(4, ip.version[1], true);
    view.setUint32(16, 32, true);
    view.setUint32(20, 32, true);
    view.setUint32(24, ip.rings, true);
    view.setUint32(28, (ip.version[0] << 16) | (ip.version[1] << 8), true);
  }
  return new Uint8Array(view.buffer);
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
