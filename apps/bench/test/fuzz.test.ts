/** Bounded fuzz runs of every driver, and proof that the fuzzer notices a driver that misbehaves. */
import { readFileSync, rmSync } from "node:fs";
import {
  AsahiFile,
  BIND_READ,
  GEM_BIND_OP,
  GEM_CREATE,
  IOCTL_GEM_CREATE,
  IOCTL_VM_BIND,
  IOCTL_VM_CREATE,
  VM_BIND,
  VM_CREATE,
} from "@vmbind/asahi";
import { DrmError, EPERM } from "@vmbind/drm";
import type { CallBuffer } from "@vmbind/trace";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DRIVER_NAMES } from "../src/drivers/table.ts";
import type { FuzzFinding } from "../src/fuzz/examiner.ts";
import { type FuzzResult, fuzz } from "../src/fuzz/fuzz.ts";
import { headerFor } from "../src/fuzz/session.ts";
import { targetFor } from "../src/fuzz/targets.ts";
import { traceOf } from "../src/fuzz/trace-file.ts";
import { tempFile, vmbind } from "./run.ts";

afterEach(() => void vi.restoreAllMocks());

describe("a bounded run finds nothing", () => {
  it.each(DRIVER_NAMES)(
    "%s",
    async (name) => {
      const target = await targetFor(name);
      const result = fuzz(target, { seed: 20260322, runs: 3000, check: false, kinds: ["mutation"] });
      expect(result).toMatchObject({ driver: name, ioctls: 3000, finding: null, reproducer: null });
      // Neither everything succeeds nor everything is refused.
      expect(result.succeeded).toBeGreaterThan(600);
      expect(result.succeeded).toBeLessThan(2400);
      const simulated = fuzz(target, { seed: 20260322, runs: 1600, check: false, kinds: ["simulation"] });
      expect(simulated).toMatchObject({ driver: name, finding: null, sessions: 4 });
      expect(simulated.succeeded).toBeGreaterThan(600);
      expect(simulated.succeeded).toBeLessThan(1500);
      // The same seed gives the same calls.
      expect(fuzz(target, { seed: 7, runs: 500, check: true })).toEqual(
        fuzz(target, { seed: 7, runs: 500, check: true }),
      );
    },
    60_000,
  );
});

describe("devices with quirks", () => {
  it.each(DRIVER_NAMES)(
    "%s: nothing is found that the quirks do not explain",
    async (name) => {
      const target = await targetFor(name);
      const devices = target.fuzz.devices.filter(hasQuirks);
      expect(devices.length).toBeGreaterThan(0);
      const result = fuzz(
        { ...target, fuzz: { ...target.fuzz, devices } },
        { seed: 20261122, runs: 400 * devices.length, check: false, kinds: ["mutation"] },
      );
      expect(result).toMatchObject({ finding: null, sessions: devices.length });
    },
    60_000,
  );

  it("a trace names the quirks, and is replayed with them", async () => {
    const target = await targetFor("asahi");
    const device = target.fuzz.devices.findIndex(hasQuirks);
    const op = GEM_BIND_OP.encode({ flags: BIND_READ, handle: 1, offset: 0, range: 0, addr: 2 ** 37 });
    const call = (request: number, arg: Uint8Array, buffers: CallBuffer[] = []) => ({
      file: 0,
      request,
      arg,
      buffers,
    });
    const calls = [
      call(IOCTL_VM_CREATE, VM_CREATE.encode({ kernelStart: 2 ** 38, kernelEnd: 2 ** 38 + 2 ** 30 })),
      call(IOCTL_GEM_CREATE, GEM_CREATE.encode({ size: 0x4000 })),
      call(IOCTL_VM_BIND, VM_BIND.encode({ vmId: 1, numBinds: 1, stride: 32, userptr: 0x1000 }), [
        { field: "userptr", addr: 0x1000, bytes: op },
      ]),
    ];
    const header = headerFor(target, device, 1);
    const text = traceOf(target, header, { finding: { kind: "state", text: "none" }, steps: calls });
    const [first, ...rest] = text.split("\n") as [string, ...string[]];
    // What is changed by hand can no longer keep the promise of an end line.
    const { quirks, sealed, ...plain } = JSON.parse(first);
    const records = rest.filter((line) => !line.startsWith('{"end"'));
    expect(sealed).toBe(true);
    expect(quirks).toContain("emptyRanges");
    const same = await vmbind("replay", "--check", tempFile("quirks.jsonl", text));
    expect([same.status, same.out, same.err]).toEqual([0, expect.stringContaining("no difference"), ""]);
    const without = tempFile("plain.jsonl", [JSON.stringify(plain), ...records].join("\n"));
    expect((await vmbind("replay", "--check", without)).status).toBe(1);
  });
});

/** Whether the device has quirks that its header names: without a list it has those of the profile of recordings. */
function hasQuirks({ quirks }: Readonly<Record<string, unknown>>): boolean {
  return Array.isArray(quirks) && quirks.length > 0;
}

/** Make every GEM_MMAP_OFFSET of the model do something else. */
function sabotage(instead: (file: AsahiFile, real: () => number) => number): void {
  const real = AsahiFile.prototype.gemMmapOffset;
  vi.spyOn(AsahiFile.prototype, "gemMmapOffset").mockImplementation(function (this: AsahiFile, args) {
    return instead(this, () => real.call(this, args));
  });
}

/** The same for the bytes of an ioctl, after it has run. */
function sabotageBytes(change: (request: number, arg: Uint8Array) => void): void {
  const real = AsahiFile.prototype.ioctl;
  vi.spyOn(AsahiFile.prototype, "ioctl").mockImplementation(function (this: AsahiFile, request, arg, user) {
    const ret = real.call(this, request, arg, user);
    change(request, arg);
    return ret;
  });
}

const DEFECTS: readonly [kind: FuzzFinding["kind"], defect: string, commit: () => void, calls: number][] = [
  [
    "exception",
    "a plain error leaves ioctl()",
    () =>
      sabotage(() => {
        throw new TypeError("broken");
      }),
    1,
  ],
  [
    "errno",
    "an errno that no specification knows",
    () =>
      sabotage(() => {
        throw new DrmError(EPERM, "no");
      }),
    1,
  ],
  [
    "invariant",
    "a reference is leaked",
    () =>
      sabotage((file, real) => {
        const offset = real();
        for (const [, bo] of file.bos()) bo.get();
        return offset;
      }),
    3,
  ],
  [
    "state",
    "a refused call makes an object",
    () =>
      sabotage((file, real) => {
        try {
          return real();
        } catch (error) {
          file.gemCreate({ size: 0x4000, flags: 0, vmId: 0 });
          throw error;
        }
      }),
    2,
  ],
  [
    "memory",
    "a byte behind the argument is written",
    () =>
      sabotageBytes((_request, arg) => {
        new Uint8Array(arg.buffer)[arg.byteOffset + arg.length] = 0;
      }),
    1,
  ],
  [
    "memory",
    "an argument that is only read is written",
    () =>
      sabotageBytes((request, arg) => {
        if (request === IOCTL_VM_BIND) arg[0] = 0xff;
      }),
    1,
  ],
];

describe("the fuzzer notices", () => {
  it.each(DEFECTS)("%s: %s", async (kind, _defect, commit, calls) => {
    commit();
    const result: FuzzResult = fuzz(await targetFor("asahi"), {
      seed: 1,
      runs: 20_000,
      check: false,
      kinds: ["mutation"],
    });
    expect(result.finding?.kind).toBe(kind);
    expect(result.reproducerCalls).toBeGreaterThan(0);
    expect(result.reproducerCalls).toBeLessThanOrEqual(calls);
    const trace = tempFile("found.jsonl", result.reproducer as string);
    const broken = await vmbind("replay", "--check", trace);
    expect(broken.status).toBe(1);
    expect(broken.out).toContain(`${kind}: expected none`);
    // The driver as it is has nothing of the kind.
    vi.restoreAllMocks();
    expect((await vmbind("replay", "--check", trace)).out).not.toContain(`${kind}: expected none`);
  });
});

describe("in shards", () => {
  const argv = ["fuzz", "--driver", "asahi", "--runs", "2400", "--only", "mutation", "--out"];

  it("tells each cause once, with its first reproducer, as one machine does that goes on", {
    timeout: 60_000,
  }, async () => {
    sabotage((file) => {
      throw new TypeError([...file.vms()].length > 0 ? "with a VM" : "broken");
    });
    const out = tempFile("causes.jsonl", "");
    const whole = await vmbind(...argv, out, "--keep-going");
    expect(whole.status).toBe(1);
    expect(whole.out).toMatch(/^exception: TypeError: with a VM \(in \d sessions\)$/m);
    expect(whole.out).toMatch(/^exception: TypeError: broken$/m);
    const second = out.replace(".jsonl", "-2.jsonl");
    expect(whole.out).toContain(`replay --check ${second})\n`);
    const reproducers = [out, second].map((path) => readFileSync(path, "utf8"));
    for (const of of [1, 3]) {
      const shards: string[] = [];
      for (let i = 1; i <= of; i++) {
        // What a shard has found is no reason for an engine to run it again.
        const { status, out: file } = await vmbind(...argv, out, "--keep-going", "--shard", `${i}/${of}`);
        expect(status).toBe(0);
        shards.unshift(tempFile(`fuzz-${i}.jsonl`, file));
      }
      for (const path of [out, second]) rmSync(path);
      expect(await vmbind("merge", ...shards)).toEqual(whole);
      expect([out, second].map((path) => readFileSync(path, "utf8"))).toEqual(reproducers);
    }
  });

  it("runs the sessions of one machine, each once", { timeout: 300_000 }, async () => {
    const plain = ["fuzz", "--driver", "asahi", "--runs", "1700", "--json"];
    const whole = await vmbind(...plain);
    const shards: string[] = [];
    for (const i of [1, 2, 3])
      shards.push(tempFile(`plain-${i}.jsonl`, (await vmbind(...plain, "--shard", `${i}/3`)).out));
    expect(await vmbind("merge", ...shards)).toEqual(whole);
    expect(JSON.parse(whole.out)).toMatchObject({ sessions: 5, finding: null, causes: [] });
  });
});

describe("replay --check", () => {
  it.each(["asahi-buffer-100e6", "panthor-sparse-buffer-100e6", "xe-buffer-100e6"])("%s", async (name) => {
    const { status, out } = await vmbind("replay", "--check", name);
    expect([status, out]).toEqual([0, expect.stringContaining("no difference")]);
  });
});

describe("the command", () => {
  it("prints what it did", async () => {
    const { status, out } = await vmbind("fuzz", "--driver", "asahi", "--runs", "500", "--seed", "3");
    expect(status).toBe(0);
    expect(out).toMatch(/^asahi, seed 3: 5\d\d ioctls on 2 devices, \d+ succeeded, nothing found\n$/);
  });

  it("writes the reproducer where it is told, and says so as JSON", async () => {
    (DEFECTS[0] as (typeof DEFECTS)[number])[2]();
    const file = tempFile("out.jsonl", "");
    const { status, out } = await vmbind("fuzz", "--driver", "asahi", "--json", "--check", "--out", file);
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ driver: "asahi", file, finding: { kind: "exception" } });
    vi.restoreAllMocks();
    expect((await vmbind("explain", file)).out).toContain("ASAHI_GEM_MMAP_OFFSET");
  });

  it.each([
    [["--runs", "1"], /--driver is missing: one of panthor, asahi, xe/],
    [["--driver", "mali"], /--driver: no driver "mali"; there are panthor, asahi, xe/],
    [["--driver", "asahy"], /--driver: no driver "asahy"; did you mean asahi\?/],
    [["--driver", "xe", "--runs=-1"], /--runs: expected an integer from 0/],
    [["--driver", "xe", "--only", "x"], /--only: no kind of sessions "x"; there are mutation, simulation/],
    [["--driver", "xe", "--seed", "x"], /--seed: expected an integer from 0/],
  ])("%j is wrong usage", async (args, message) => {
    const { status, err } = await vmbind("fuzz", ...args);
    expect(status).toBe(2);
    expect(err).toMatch(message);
  });
});
