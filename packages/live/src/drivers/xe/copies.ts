/**
 * The copy engine's commands, as far as tests of memory use them: byte copies, fills, and linear rectangles. Encodings:
 * Intel's programmer's reference manuals, volume 2a.
 *
 * @module
 */

import type { GpuMemory } from "./gpu-memory.ts";

const MEM_COPY = 0x5a;
const MEM_SET = 0x5b;
const FAST_COPY = 0x42;
/** Bytes that are on their way at a time. */
const PIECE = 65536;
/** Bytes of a texel by the colour depth of XY_FAST_COPY_BLT. */
const TEXEL_BYTES = [1, 2, 4, 4, 8, 16];

/** Copy bytes within a VM. */
function copy(memory: GpuMemory, to: number, from: number, bytes: number): void {
  for (let done = 0; done < bytes; done += PIECE) {
    memory.store(to + done, memory.load(from + done, Math.min(PIECE, bytes - done)));
  }
}

/**
 * Run one command.
 *
 * @param memory - of the VM
 * @param words - the command, header first
 * @returns false for a command, or a tiling, that is not known here
 * @throws GpuFault
 */
export function runCopy(memory: GpuMemory, words: readonly number[]): boolean {
  const word = (i: number) => words[i] ?? 0;
  const header = word(0);
  const at = (i: number) => memory.address(word(i), word(i + 1));
  switch ((header >>> 22) & 0x7f) {
    case MEM_COPY: {
      const rows = header & (1 << 17) ? (word(2) & 0x3_ffff) + 1 : 1;
      // Byte copies count bytes, page copies count pages of 256.
      const unit = (header >>> 19) & 1 ? 256 : 1;
      const bytes = ((word(1) & 0xff_ffff) + 1) * unit;
      const fromPitch = (word(3) & 0x3_ffff) + 1;
      const toPitch = (word(4) & 0x3_ffff) + 1;
      for (let row = 0; row < rows; row++)
        copy(memory, at(7) + row * toPitch, at(5) + row * fromPitch, bytes);
      return true;
    }
    case MEM_SET: {
      const rows = header & (1 << 17) ? (word(2) & 0x3_ffff) + 1 : 1;
      const row = new Uint8Array((word(1) & 0xff_ffff) + 1).fill(word(6) >>> 24);
      for (let y = 0; y < rows; y++) memory.store(at(4) + y * ((word(3) & 0x3_ffff) + 1), row);
      return true;
    }
    case FAST_COPY: {
      const tiled = (header >>> 20) & 3 || (header >>> 13) & 3;
      const bytes = TEXEL_BYTES[(word(1) >>> 24) & 7];
      if (tiled || bytes === undefined) return false;
      const left = word(2) & 0xffff;
      const top = word(2) >>> 16;
      const width = (word(3) & 0xffff) - left;
      const height = (word(3) >>> 16) - top;
      const toPitch = word(1) & 0xffff;
      const fromPitch = word(7) & 0xffff;
      for (let y = 0; y < height; y++) {
        const to = at(4) + (top + y) * toPitch + left * bytes;
        const from = at(8) + ((word(6) >>> 16) + y) * fromPitch + (word(6) & 0xffff) * bytes;
        copy(memory, to, from, width * bytes);
      }
      return true;
    }
    default:
      return false;
  }
}
