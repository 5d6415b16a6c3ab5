/** Marks that say what happens to a device without an ioctl. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { eventMark, eventOf, eventText, type TraceEvent } from "../src/index.ts";

const number = fc.nat(999_999_999);
const events: fc.Arbitrary<TraceEvent> = fc.oneof(
  fc.record({ kind: fc.constant("fence" as const), file: number, syncobj: number, fence: number }),
  fc.record({ kind: fc.constant("signal" as const), fence: number }),
  fc.record({ kind: fc.constant("evict" as const), file: number, handle: number }),
  fc.record({ kind: fc.constant("restore" as const), file: number }),
  fc.record({ kind: fc.constant("share" as const), from: number, handle: number, to: number }),
  fc.record({ kind: fc.constant("fault" as const), nth: number }),
  fc.record({ kind: fc.constant("must-succeed" as const) }),
  fc.record({ kind: fc.constant("close" as const), file: number }),
);

test("an event comes back from its mark, and has words of its own", () => {
  fc.assert(
    fc.property(events, (event) => {
      expect(eventOf(eventMark(event))).toEqual(event);
      expect(eventText(event)).not.toBe(eventMark(event));
    }),
  );
});

test.each([
  "workload image-3d seed=1",
  "signal",
  "signal x",
  "signal -1",
  "signal 1 2",
  "signal  1",
  "Signal 1",
  "evict 1",
  "fault 1234567890",
  "file-close",
  "file-open 1",
  "must-succeed 1",
  "toString",
])("%j is for people", (mark) => {
  expect(eventOf(mark)).toBeNull();
});
