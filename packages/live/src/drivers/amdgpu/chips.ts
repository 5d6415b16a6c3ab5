/**
 * The AMD GPUs that live programs can have, by what tells them apart: names, numbers, and the shape of the hardware as far as a Vulkan
 * driver asks for it to start. Members of `drm_amdgpu_info_device` (`amdgpu_drm.h`, Linux 7.3-rc7) are written by their byte,
 * those of memory management come from the model.
 *
 * @module
 */

import type { AmdgpuGfx } from "@vmbind/amdgpu";

/** The engines of one type. */
interface Engines {
  /** Version of the hardware, major, minor and revision. */
  readonly version: readonly [number, number, number];
  /** A bit for each ring. */
  readonly rings: number;
}

/** One GPU. */
export interface Chip {
  /** For people: name, chip, instruction set. */
  readonly title: string;
  /** For `--device`. */
  readonly card: string;
  /** PCI device id, and revision. */
  readonly pci: readonly [device: number, revision: number];
  /** What the model is told. */
  readonly gfx: AmdgpuGfx;
  /** The same with its revision, as recordings have it. */
  readonly gfxVersion: string;
  /** Bytes of VRAM that objects can have. */
  readonly vramBytes: number;
  /** `mmGB_ADDR_CONFIG`: how many pipes, and how memory is spread over them. */
  readonly addrConfig: number;
  /** Engines by type (`AMDGPU_HW_IP_`): 0 for graphics, 1 for compute, 2 for copies. */
  readonly engines: ReadonlyMap<number, Engines>;
  /** Shader engines, arrays of each that are there, compute units of each of those. */
  readonly shaders: readonly [engines: number, arrays: number, units: number];
  /** Members of DEV_INFO, u32 each, beside what stands above. */
  readonly info: readonly (readonly [at: number, value: number])[];
}

/** Members that are the same on all. */
const COMMON: Chip["info"] = [
  [120, 0xffff], // enabled_rb_pipes_mask
  [124, 16], // num_rb_pipes
  [128, 8], // num_hw_gfx_contexts
  [188, 1], // gc_double_offchip_lds_buf
  [252, 16], // num_tcc_blocks
  [256, 32], // gs_vgt_table_depth
  [260, 1792], // gs_prim_buffer_depth
  [264, 32], // max_gs_waves_per_vgt
  [268, 16], // pcie_num_lanes
  [388, 1], // num_sqc_per_wgp
  [392, 16], // sqc_data_cache_size, KiB
  [396, 32], // sqc_inst_cache_size, KiB
];

/** Chips by the name that `--device` takes; the first is the default. */
export const CHIPS: ReadonlyMap<string, Chip> = new Map<string, Chip>([
  [
    "navi21",
    {
      title: "AMD Radeon RX 6800 (Navi 21, gfx1030)",
      card: "Radeon RX 6800, GFX10.3",
      pci: [0x73bf, 0xc3],
      gfx: "10.3",
      gfxVersion: "10.3.0",
      vramBytes: 0x3_ff00_0000,
      addrConfig: 0x444,
      engines: new Map<number, Engines>([
        [0, { version: [10, 3, 0], rings: 0x1 }],
        [1, { version: [10, 3, 0], rings: 0xf }],
        [2, { version: [5, 2, 0], rings: 0x3 }],
      ]),
      shaders: [4, 2, 10],
      info: [
        ...COMMON,
        [4, 0x28], // chip_rev
        [8, 0x28], // external_rev
        [16, 143], // family: AMDGPU_FAMILY_NV
        [28, 100_000], // gpu_counter_freq, kHz
        [32, 2_475_000], // max_engine_clock, kHz
        [40, 1_000_000], // max_memory_clock, kHz
        [132, 4], // pcie_gen
        [176, 9], // vram_type: GDDR6
        [180, 256], // vram_bit_width
        [240, 32], // wave_front_size
        [244, 1024], // num_shader_visible_vgprs
        [384, 16], // tcp_cache_size, KiB
        [400, 128], // gl1c_cache_size, KiB
        [404, 4096], // gl2c_cache_size, KiB
        [408, 128 * 2 ** 20], // mall_size
      ],
    },
  ],
  [
    "vega10",
    {
      title: "AMD Radeon RX Vega (Vega 10, gfx900)",
      card: "Radeon RX Vega, GFX9",
      pci: [0x687f, 0xc1],
      gfx: "9.0",
      gfxVersion: "9.0.1",
      vramBytes: 0x1_ff00_0000,
      addrConfig: 0x2a11_4042,
      engines: new Map<number, Engines>([
        [0, { version: [9, 0, 1], rings: 0x1 }],
        [1, { version: [9, 0, 1], rings: 0xff }],
        [2, { version: [4, 0, 0], rings: 0x3 }],
      ]),
      shaders: [4, 1, 16],
      info: [
        ...COMMON,
        [4, 0x1], // chip_rev
        [8, 0x1], // external_rev
        [16, 141], // family: AMDGPU_FAMILY_AI
        [28, 27_000], // gpu_counter_freq, kHz
        [32, 1_630_000], // max_engine_clock, kHz
        [40, 945_000], // max_memory_clock, kHz
        [132, 3], // pcie_gen
        [176, 6], // vram_type: HBM
        [180, 2048], // vram_bit_width
        [240, 64], // wave_front_size
        [244, 256], // num_shader_visible_vgprs
        [384, 16], // tcp_cache_size, KiB
        [404, 4096], // gl2c_cache_size, KiB
      ],
    },
  ],
  [
    "navi48",
    {
      title: "AMD Radeon RX 9070 XT (Navi 48, gfx1201)",
      card: "Radeon RX 9070 XT, GFX12",
      pci: [0x7550, 0xc0],
      gfx: "12.0",
      gfxVersion: "12.0.1",
      vramBytes: 0x3_fb00_0000,
      addrConfig: 0x444,
      engines: new Map<number, Engines>([
        [0, { version: [12, 0, 1], rings: 0x1 }],
        [1, { version: [12, 0, 1], rings: 0xf }],
        [2, { version: [7, 0, 1], rings: 0x3 }],
      ]),
      shaders: [4, 2, 8],
      info: [
        ...COMMON,
        [4, 0x51], // chip_rev
        [8, 0x51], // external_rev
        [16, 152], // family: AMDGPU_FAMILY_GC_12_0_0
        [28, 100_000], // gpu_counter_freq, kHz
        [32, 2_970_000], // max_engine_clock, kHz
        [40, 1_258_000], // max_memory_clock, kHz
        [132, 5], // pcie_gen
        [176, 9], // vram_type: GDDR6
        [180, 256], // vram_bit_width
        [240, 32], // wave_front_size
        [244, 1536], // num_shader_visible_vgprs
        [384, 32], // tcp_cache_size, KiB
        [404, 8192], // gl2c_cache_size, KiB
        [408, 64 * 2 ** 20], // mall_size
      ],
    },
  ],
]);
