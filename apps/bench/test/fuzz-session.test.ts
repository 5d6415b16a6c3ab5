/** What a fuzz session keeps and compares, against the plain way. */
import { UserMemory } from "@vmbind/drm";
import type { Call, TraceEvent } from "@vmbind/trace";
import fc from "fast-check";
import { expect, it } from "vitest";
import { isEvent, type Step } from "../src/fuzz/call.ts";
import { difference } from "../src/fuzz/digest.ts";
import { freshDevice, headerFor } from "../src/fuzz/session.ts";
import { StepLog } from "../src/fuzz/step-log.ts";
import { targetFor } from "../src/fuzz/targets.ts";

/** So many bytes of one value. */
const bytes = (most: number): fc.Arbitrary<Uint8Array> => {
  return fc.tuple(fc.nat(most), fc.nat(255)).map(([length, value]) => new Uint8Array(length).fill(value));
};

const call: fc.Arbitrary<Call> = fc.record({
  file: fc.nat(3),
  request: fc.nat(2 ** 32 - 1),
  arg: bytes(200),
  buffers: fc.array(
    fc.record({
      field: fc.constantFrom("ops", "ops[1].syncs"),
      addr: fc.nat(2 ** 47),
      bytes: bytes(60_000),
    }),
    { maxLength: 3 },
  ),
});

/** Strings are compared at once, arrays byte by byte. */
const text = (of: Uint8Array): string => Buffer.from(of).toString("latin1");

const event: fc.Arbitrary<TraceEvent> = fc.constantFrom<TraceEvent[]>(
  { kind: "restore", file: 1 },
  { kind: "signal", fence: 2 },
);

function inWords(step: Step): unknown {
  if (isEvent(step)) return step;
  const { file, request, arg, buffers } = step;
  return [file, request, text(arg), buffers.map(({ field, addr, bytes }) => [field, addr, text(bytes)])];
}

it("the steps of a session are those that were taken, whatever the one before was", () => {
  const log = new StepLog();
  const step = fc.oneof({ weight: 3, arbitrary: call }, event);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
      log.clear();
      for (const one of steps) log.add(one);
      expect(log.count).toBe(steps.length);
      expect(log.steps().map(inWords)).toEqual(steps.map(inWords));
    }),
    { numRuns: 50 },
  );
});

it("devices are alike until one of them is given a call more", async () => {
  const target = await targetFor("panthor");
  const header = headerFor(target, 0, 1);
  const [device, twin] = [freshDevice(target, header), freshDevice(target, header)];
  const both = [device, twin];
  const { probe } = target.fuzz;
  const steps: [call: Call, difference: RegExp][] = [
    [probe.vm(), /^expected nothing more, got file 0 VM 1: 1 references$/],
    [
      probe.object(),
      /^expected file 0 VM 1: 1 references, got file 0 BO 1: \d+ bytes, 1 references, in 0 VMs$/,
    ],
    [probe.bind(1, 1), /^expected file 0 BO 1: \d+ bytes, 1 references, in 0 VMs, got .* in 1 VMs$/],
    [probe.unbind(1), /^expected file 0 BO 1: .* in 1 VMs, got .* in 0 VMs$/],
    [probe.destroy(1), /^expected file 0 VM 1: 1 references, got nothing more$/],
  ];
  for (const [{ request, arg, buffers }, words] of steps) {
    expect(difference(device.files, twin.files)).toBeNull();
    for (const one of both) {
      const user = new UserMemory();
      for (const { addr, bytes } of buffers) user.place(addr, bytes.slice());
      expect(one.file(0).ioctl(request, arg.slice(), user)).toBe(0);
      if (one === device) expect(difference(device.files, twin.files)).toMatch(words);
    }
  }
  expect(difference(device.files, twin.files)).toBeNull();
});
