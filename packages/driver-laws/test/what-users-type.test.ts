/** What a program gets wrong before an ioctl: each value that fits no member of a struct, each name that there is not. It is told where. */

import { AmdgpuDevice } from "@vmbind/amdgpu";
import * as amdgpu from "@vmbind/amdgpu/uapi";
import { AsahiDevice } from "@vmbind/asahi";
import * as asahi from "@vmbind/asahi/uapi";
import * as drm from "@vmbind/drm";
import { EncodeError, type Field, type StructLayout } from "@vmbind/drm";
import { Gpuvm } from "@vmbind/gpuvm-core";
import { FrameAllocator, gcvm } from "@vmbind/mmu";
import { MsmDevice } from "@vmbind/msm";
import * as msm from "@vmbind/msm/uapi";
import { NouveauDevice } from "@vmbind/nouveau";
import * as nouveau from "@vmbind/nouveau/uapi";
import { PanthorDevice, type PanvkStrategy, PanvkUmd, panvkDummyBytes, panvkRepeats } from "@vmbind/panthor";
import * as panthor from "@vmbind/panthor/uapi";
import { XeDevice } from "@vmbind/xe";
import * as xe from "@vmbind/xe/uapi";
import { describe, expect, test } from "vitest";

/** Exports of a package that are structs. */
function structsOf(exported: object): StructLayout<Record<string, unknown>>[] {
  return Object.values(exported).filter(
    (value) => typeof value === "object" && value !== null && "encode" in value && "members" in value,
  );
}

/** Values that a member does not take, and what is said of a place in it. */
function misfits({ shape, size }: Field<unknown>): [value: unknown, place: string][] {
  if (shape.kind === "number") {
    return [0x4000n, -1n, -1, 1.5, Number.NaN, 2 ** (8 * size), null, "4096", {}].map((value) => [value, ""]);
  }
  const neither: [unknown, string][] = [null, 5, "text"].map((value) => [value, ""]);
  if (shape.kind === "bytes") return [...neither, [new Uint8Array(size + 1), ""]];
  if (shape.kind === "array") {
    const { elements } = shape;
    const inLast = misfits(elements.at(-1) as Field<unknown>).map(([value, place]): [unknown, string] => [
      elements.map((_, i) => (i === elements.length - 1 ? value : undefined)),
      `[${elements.length - 1}]${place}`,
    ]);
    return [...neither, [[], ""], ...inLast];
  }
  const inner = shape.layout.members.flatMap(([name, field]) =>
    misfits(field).map(([value, place]): [unknown, string] => [{ [name]: value }, `.${name}${place}`]),
  );
  return [...neither, ...inner];
}

describe.each(Object.entries({ drm, amdgpu, asahi, msm, nouveau, panthor, xe }))(
  "structs of %s",
  (_, exported) => {
    const structs = structsOf(exported);

    test("are found", () => {
      expect(structs.length).toBeGreaterThan(0);
    });

    test.each(structs.map((layout) => [layout.name, layout] as const))(
      "%s names the member",
      (name, layout) => {
        for (const [member, field] of layout.members) {
          for (const [value, place] of misfits(field)) {
            const written = () => layout.encode({ [member]: value });
            expect(written).toThrow(EncodeError);
            expect(written).toThrow(`${name}.${member}${place}: `);
          }
          expect(layout.encode({ [member]: undefined })).toEqual(new Uint8Array(layout.size));
        }
        for (const value of [null, 5, "text"]) {
          expect(() => layout.encode(value as never)).toThrow(`${name}: expected members, got `);
        }
      },
    );
  },
);

describe("names that there are not", () => {
  const wrong = "as-posted-v9" as never;
  const makes: [what: string, make: () => unknown][] = [
    ["driverVersion", () => new PanthorDevice({ driverVersion: wrong })],
    ["repeat", () => new PanthorDevice({ repeat: wrong })],
    ["dummyFragmentation", () => new PanthorDevice({ dummyFragmentation: wrong })],
    ["platform", () => new XeDevice({ platform: wrong })],
    ["backend", () => new NouveauDevice({ backend: wrong })],
    ["tableAperture", () => new NouveauDevice({ tableAperture: wrong })],
    ["prrStores", () => new MsmDevice({ prrStores: wrong })],
    ["gfx", () => new AmdgpuDevice({ gfx: wrong })],
    ["vramFragmentation", () => new AmdgpuDevice({ vramFragmentation: wrong })],
    [
      "repeat",
      () => new Gpuvm({ gems: new drm.GemObjects(), name: "vm", start: 0, range: 2 ** 20, repeat: wrong }),
    ],
    ["frames.fragmentation", () => new FrameAllocator({ fragmentation: wrong })],
    ["FrameAllocator.alloc", () => new FrameAllocator().alloc(4096, wrong)],
    ["gcvm", () => gcvm(wrong)],
    ["strategy", () => new PanvkUmd({ strategy: wrong })],
    ["strategy", () => panvkRepeats(wrong as PanvkStrategy)],
    ["strategy", () => panvkDummyBytes(wrong as PanvkStrategy)],
  ];
  for (const Device of [PanthorDevice, AsahiDevice, XeDevice, NouveauDevice, MsmDevice, AmdgpuDevice]) {
    makes.push(["boFragmentation", () => new Device({ boFragmentation: wrong })]);
    expect(() => new Device({ quirks: wrong })).toThrow(
      'quirks: no profile "as-posted-v9"; there are ideal, ',
    );
  }

  test.each(makes)("%s", (what, make) => {
    expect(make).toThrow(`${what}: "as-posted-v9" is none of `);
  });
});

describe("options that there are not", () => {
  const devices = { PanthorDevice, AsahiDevice, XeDevice, NouveauDevice, MsmDevice, AmdgpuDevice };
  describe.each(Object.entries(devices))("%s", (_, Device) => {
    test.each([
      ["va_bits", { va_bits: 40 }, /^va_bits: there is no such option, only .*boFragmentation.*allocFault/],
      ["memory", { memory: { tableLimit: 4096 } }, /^memory\.tableLimit: .*, only .*tableLimitBytes/],
      ["frames", { memory: { frames: { end: 2 ** 33 } } }, /^frames\.end: .*, only base, limit/],
      ["tlb", { tlb: { entrys: 4 } }, /^tlb\.entrys: .*, only entries, ways/],
    ] as const)("%s", (_name, options, message) => {
      expect(() => new Device(options as object)).toThrow(message);
      expect(() => new Device(options as object)).toThrow(RangeError);
    });

    test("what is left undefined is as if it was not given", () => {
      const open = Object.fromEntries(Object.keys(new Device().options).map((name) => [name, undefined]));
      expect(new Device(open).options).toEqual(new Device().options);
    });
  });

  test("xe's behind a platform, and panthor's parts", () => {
    expect(() => new XeDevice("bmg", { fragmentation: "huge" } as object)).toThrow(
      /^fragmentation: there is no such option, only platform, /,
    );
    expect(() => new PanthorDevice({}, { pageTable: class {} } as object)).toThrow(
      "parts.pageTable: there is no such option, only PageTable, VmSteps, format",
    );
  });
});
