/**
 * What a recorded amdgpu ioctl means: the lens through which `@vmbind/trace` reads, replays and tells traces of Mesa's radv.
 *
 * @packageDocumentation
 */

import { type AllocFault, DRM_IOCTL_GEM_CLOSE, EINVAL, fail, GEM_CLOSE, hex, size, span } from "@vmbind/drm";
import type { Action, BindOp, CallReader, Decoder, HeaderReader, Lens, SparseWord } from "@vmbind/trace";
import { checkDeviceInvariants } from "./check-invariants.ts";
import { COST_SCHEMA } from "./cost-sheet.ts";
import { AmdgpuDevice } from "./device.ts";
import { type AmdgpuFile, VM_ID } from "./file.ts";
import { IOCTLS } from "./ioctls.ts";
import type { AmdgpuGfx } from "./options.ts";
import { QUIRKS } from "./quirks.ts";
import {
  DOMAIN_NAMES,
  GEM_CREATE,
  GEM_CREATE_OUT,
  GEM_VA,
  type GemVa,
  IOCTL_CS,
  IOCTL_GEM_CREATE,
  IOCTL_GEM_VA,
  PAGE_BYTES,
  VA_ALIGNMENT,
  VA_BYTES,
  VA_OP_CLEAR,
  VA_OP_MAP,
  VA_OP_REPLACE,
  VA_OP_UNMAP,
  VM_DELAY_UPDATE,
  VM_PAGE_PRT,
  VM_PAGE_WRITEABLE,
} from "./uapi.ts";
import { RADV_HEAP_END, RADV_VIEW_BIT } from "./va-manager.ts";

/** One recorded GEM_VA. */
export interface AmdgpuTraceOp extends BindOp {
  /** Which operation it is. */
  readonly what: "map" | "unmap" | "clear" | "replace" | "unknown";
}

/** What stands for "nothing is bound". */
const UNBOUND = { says: "unbound" } as const;
const ASIDE = { says: "aside" } as const;

class AmdgpuDecoder implements Decoder<AmdgpuTraceOp> {
  /** Where the sparse ranges end that have a second view below, by first VA: a range lives until its view is cleared. */
  readonly #upper = new Map<number, number>();
  /** Where objects end that are mapped as a whole, by handle. */
  readonly #homes = new Map<number, number>();

  decode(call: CallReader): Action<AmdgpuTraceOp> {
    switch (IOCTLS.own(call.request)) {
      case IOCTL_GEM_CREATE: {
        const { boSize, domains } = call.sent(GEM_CREATE);
        const { handle } = call.returned(GEM_CREATE_OUT);
        const places = DOMAIN_NAMES.bits.filter(([bit]) => domains & bit).map(([, name]) => name.slice(7));
        const text = `BO ${handle}, ${size(boSize)}, ${places.join(" or ")}`;
        const bytes = Math.ceil(boSize / PAGE_BYTES) * PAGE_BYTES;
        return { kind: "bo-create", handle, size: bytes, text };
      }
      case DRM_IOCTL_GEM_CLOSE: {
        const { handle } = call.sent(GEM_CLOSE);
        return { kind: "bo-close", handle, text: `BO ${handle}` };
      }
      case IOCTL_GEM_VA: {
        const op = decodeOp(call.sent(GEM_VA));
        const sparse = call.ret === 0 ? this.#sparse(op) : undefined;
        if (sparse !== undefined) {
          return { kind: "bind", vm: VM_ID, ops: [{ ...op, sparse }], text: describe(op) };
        }
        return { kind: "bind", vm: VM_ID, ops: [op], text: describe(op) };
      }
      case IOCTL_CS:
        return { kind: "other", text: "a submission: page tables are brought up to date" };
      default:
        return { kind: "other", text: "" };
    }
  }

  #sparse(op: AmdgpuTraceOp): SparseWord | undefined {
    const { addr, range, handle, flags, what } = op;
    const upper = addr + RADV_VIEW_BIT;
    if (addr < RADV_HEAP_END && this.#isView(upper, range)) {
      if (what === "clear" && this.#upper.get(upper) === upper + range) this.#upper.delete(upper);
      return { view: -RADV_VIEW_BIT };
    }
    if (op.effect !== "map") return undefined;
    if (flags & VM_PAGE_PRT) {
      if (what === "map" && addr >= RADV_HEAP_END) this.#upper.set(addr, addr + range);
      return UNBOUND;
    }
    // On GFX9 the first page of device memory shows once more behind it, for loads that run over its end.
    if (this.#homes.get(handle) === addr && op.offset === 0 && !(flags & VM_PAGE_WRITEABLE)) return ASIDE;
    if (what === "map" && op.offset === 0) this.#homes.set(handle, addr + range);
    return undefined;
  }

  /** Whether a range lies in a sparse range that has a second view, counted from where that would be. */
  #isView(upper: number, range: number): boolean {
    for (const [start, end] of this.#upper) if (upper >= start && upper + range <= end) return true;
    return false;
  }
}

function decodeOp({ operation, handle, flags, vaAddress, offsetInBo, mapSize }: GemVa): AmdgpuTraceOp {
  const isPrt = (flags & VM_PAGE_PRT) !== 0;
  const addr = vaAddress % VA_BYTES;
  const where = { addr, range: mapSize, handle: isPrt ? 0 : handle, offset: offsetInBo, flags };
  const suffix = isPrt ? " PRT" : "";
  switch (operation) {
    case VA_OP_MAP:
      return { ...where, what: "map", heading: `MAP${suffix}`, effect: "map" };
    case VA_OP_REPLACE:
      return { ...where, what: "replace", heading: `REPLACE${suffix}`, effect: "map" };
    case VA_OP_CLEAR:
      return { ...where, handle: 0, what: "clear", heading: "CLEAR", effect: "unmap" };
    case VA_OP_UNMAP: {
      const first = addr - (addr % PAGE_BYTES);
      return { ...where, addr: first, what: "unmap", heading: `UNMAP${suffix}`, effect: "unmap-at" };
    }
    default:
      return { ...where, what: "unknown", heading: `operation ${operation}`, effect: "none" };
  }
}

function describe(op: AmdgpuTraceOp): string {
  const later = op.flags & VM_DELAY_UPDATE ? ", tables later" : "";
  const where = `${op.heading} ${span(op.addr, op.range)}`;
  if (op.handle === 0) return where + later;
  return `${where} ${op.what === "unmap" ? "of" : "->"} BO ${op.handle}${op.what === "unmap" ? "" : ` + ${hex(op.offset)}`}${later}`;
}

/** VRAM of the model comes in blocks. */
const VRAM_UNIT = 2 ** 21;
const VRAM_MOST = 2 ** 44;

/** The model of each generation; traces name the graphics core with three numbers. */
const MODELS: readonly (readonly [RegExp, AmdgpuGfx])[] = [
  [/^9\.0\.|^9\.0$/, "9.0"],
  [/^10\./, "10.3"],
  [/^11\./, "11.0"],
  [/^12\.0(\.|$)/, "12.0"],
];

function vramOf(memory: HeaderReader): number {
  const bytes = memory.hex("vram");
  if (bytes < VRAM_UNIT) memory.fail("vram", `expected ${VRAM_UNIT} bytes or more, got ${bytes}`);
  if (bytes > VRAM_MOST) memory.fail("vram", `expected at most ${VRAM_MOST} bytes, got ${bytes}`);
  return bytes - (bytes % VRAM_UNIT);
}

function deviceOf(header: HeaderReader, allocFault?: AllocFault): AmdgpuDevice {
  const name = header.text("gfx");
  const gfx = MODELS.find(([form]) => form.test(name))?.[1];
  if (gfx === undefined) return header.fail("gfx", "expected 9.0, 10, 11 or 12.0 and a stepping");
  header.oneOf("va_bits", [48]);
  header.oneOf("va_alignment", [VA_ALIGNMENT]);
  const vramBytes = header.has("memory") ? vramOf(header.object("memory")) : undefined;
  const boFragmentation = header.fragmentation("bo_fragmentation");
  const quirks = header.quirks(QUIRKS);
  return new AmdgpuDevice({
    gfx,
    ...(vramBytes !== undefined && { vramBytes }),
    ...(boFragmentation && { boFragmentation, vramFragmentation: boFragmentation }),
    ...header.memory(PAGE_BYTES),
    quirks,
    ...(allocFault && { allocFault }),
    // Syncobjs are made by ioctls that recordings leave out.
    adoptSyncobjs: true,
  });
}

/** amdgpu's traces. */
export const lens: Lens<AmdgpuTraceOp, AmdgpuFile, AmdgpuDevice> = {
  name: "amdgpu",
  headings: ["MAP PRT", "MAP", "REPLACE PRT", "REPLACE", "CLEAR", "UNMAP", "UNMAP PRT"],
  costSchema: COST_SCHEMA,
  quirks: QUIRKS,
  closeUnmaps: true,
  fileVm: VM_ID,
  describe,
  mayWrite: ({ flags }) => (flags & VM_PAGE_WRITEABLE) !== 0,
  decoder: () => new AmdgpuDecoder(),
  device: deviceOf,
  arrays: (request) => IOCTLS.row(request)?.arrays ?? [],
  evict(device, file, handle) {
    device.moveBo(file.bo(handle) ?? fail(EINVAL, `evict: no object ${handle}`), "gtt", true);
  },
  restore: (file) => file.space.submit(),
  checkInvariants: checkDeviceInvariants,
};
