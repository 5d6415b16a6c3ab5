/**
 * A law that nothing can break says nothing. So each is held against a driver with a fault: one of the real drivers'
 * defects, or something broken between the driver and the law, and must notice.
 */

import { NO_QUIRKS as ASAHI_RIGHT } from "@vmbind/asahi";
import { PhysicalMemory, Tlb } from "@vmbind/mmu";
import { NO_QUIRKS as XE_RIGHT } from "@vmbind/xe";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { asahiSubject } from "./asahi.ts";
import { FAULTS } from "./faults.ts";
import { GPU_VIEW } from "./gpu-view.ts";
import { ISOLATION } from "./isolation.ts";
import { msmSubject } from "./msm.ts";
import { nouveauSubject } from "./nouveau.ts";
import { panthorSubject } from "./panthor.ts";
import { REFUSALS } from "./refusals.ts";
import { SHARING } from "./sharing.ts";
import type { Bound, Op, Subject, TestDevice, TestFile } from "./subject.ts";
import { SUBJECTS } from "./subjects.ts";
import { xeSubject } from "./xe.ts";

const LAWS = [...GPU_VIEW, ...ISOLATION, ...SHARING, ...REFUSALS, ...FAULTS];

// A counterexample is enough here; nobody reads it.
fc.configureGlobal({ endOnFailure: true });

/** Holds the law whose title begins so against a subject; what it says, or nothing. */
function complaint(title: string, subject: Subject): string {
  const [law, ...others] = LAWS.filter((one) => one.title.startsWith(title));
  expect({ title, found: law !== undefined, others: others.length }).toEqual({
    title,
    found: true,
    others: 0,
  });
  expect([title, law?.when?.(subject) ?? true]).toEqual([title, true]);
  try {
    law?.hold(subject);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${error.message} ${error.cause instanceof Error ? error.cause.message : ""}`;
  }
  return "";
}

/** A subject whose files differ from those of another in some methods. */
function withFiles(
  subject: Subject,
  change: (file: TestFile, device: TestDevice) => Partial<TestFile>,
): Subject {
  const device: Subject["device"] = (options) => {
    const made = subject.device(options);
    const open = made.open.bind(made);
    made.open = () => {
      const file = open();
      return Object.assign(file, change(file, made));
    };
    return made;
  };
  return { ...subject, device };
}

/** A subject on whose bind calls something is done to the operations. */
function withOps(subject: Subject, change: (ops: readonly Op[]) => Op[]): Subject {
  return withFiles(subject, (file) => {
    const bind = file.bind.bind(file);
    return { bind: (vm, ops, queued): Bound => bind(vm, change(ops), queued) };
  });
}

const panthor = panthorSubject("1.9");
const asahi = asahiSubject("one run");
const xe = xeSubject("bmg", { platform: "bmg" });
const msm = msmSubject("one run");
const nouveau = nouveauSubject("tu102");
const first = [panthor, asahi, xe, msm, nouveau];

describe("a real driver's defect breaks", () => {
  const VIEW = "any sequence of operations shows";
  const defects: [defect: string, law: string, subject: Subject][] = [
    [
      "a dummy of the whole device",
      "what is stored into a sparse range",
      panthorSubject("", { quirks: { deviceWideDummy: true } }),
    ],
    [
      "a dummy of the whole device",
      "two hostile processes",
      panthorSubject("", { quirks: { deviceWideDummy: true } }),
    ],
    [
      "REPEAT that loses its phase",
      VIEW,
      panthorSubject("", { repeat: "v5", quirks: { repeatPhaseShift: true } }),
    ],
    [
      "REPEAT by whole windows",
      VIEW,
      panthorSubject("", { repeat: "v5", quirks: { repeatWholeWindows: true } }),
    ],
    [
      "private objects for everybody",
      "an object that belongs to one VM is refused",
      asahiSubject("", { quirks: { ...ASAHI_RIGHT, foreignPrivateObjects: true } }),
    ],
    [
      "a lost remnant",
      VIEW,
      (() => {
        const lost = xeSubject("", {
          platform: "dg2",
          forcedScratch: false,
          quirks: { ...XE_RIGHT, lostRemnant: true },
        });
        return { ...lost, facts: { ...lost.facts, opsMax: 4 } };
      })(),
    ],
  ];
  test.each(defects)('%s: the law "%s"', (_defect, law, subject) => {
    expect(complaint(law, subject)).toMatch(/./);
  });
});

describe.each(first)("something broken in $name is noticed:", (subject) => {
  test("a TLB that is never invalidated", () => {
    const range = vi.spyOn(Tlb.prototype, "invalidateRange").mockImplementation(() => {});
    const all = vi.spyOn(Tlb.prototype, "invalidateAll").mockImplementation(() => {});
    try {
      expect(complaint("any sequence of operations shows", subject)).toMatch(/./);
    } finally {
      range.mockRestore();
      all.mockRestore();
    }
  });

  test("memory that is given on as it was", () => {
    const zero = vi.spyOn(PhysicalMemory.prototype, "zero").mockImplementation(() => {});
    try {
      expect(complaint("memory that changes hands", subject)).toMatch(/./);
      expect(complaint("two hostile processes", subject)).toMatch(/./);
    } finally {
      zero.mockRestore();
    }
  });

  test("an unbind that forgets the last page", () => {
    const { pageBytes } = subject.facts;
    const short = withOps(subject, (ops) =>
      ops.map((op) => {
        return op.kind === "unbind" && op.bytes > pageBytes ? { ...op, bytes: op.bytes - pageBytes } : op;
      }),
    );
    expect(complaint("any sequence of operations shows", short)).toMatch(/./);
  });

  test("a handle that is closed without giving up its reference", () => {
    const kept = withFiles(subject, (file) => {
      const close = file.closeObject.bind(file);
      return {
        closeObject: (handle) => {
          for (const [other, object] of file.objects()) if (other === handle) object.get();
          return close(handle);
        },
      };
    });
    expect(complaint("any sequence of operations shows", kept)).toMatch(/gem-refs|objects/);
  });

  test("a device node that has one file only", () => {
    const shared: Subject = {
      ...subject,
      device: (options) => {
        const made = subject.device(options);
        const file = made.open();
        made.open = () => file;
        return made;
      },
    };
    expect(complaint("handles and ids of one file", shared)).toMatch(/./);
    expect(complaint("a syncobj of one file", shared)).toMatch(/./);
    expect(complaint("an offset for mmap", shared)).toMatch(/./);
  });

  test("a refused call that did something first", () => {
    // Each operation is a call of its own, so that those before a bad one are done, and those of a good call, too.
    const split = withFiles(subject, (file) => {
      const bind = file.bind.bind(file);
      return {
        bind: (vm, ops, queued) => {
          for (const op of ops) {
            const { ret } = bind(vm, [op], queued);
            if (ret !== 0) return { ret, done: 0 };
          }
          return { ret: 0, done: ops.length };
        },
      };
    });
    expect(complaint("a refused call says why", split)).toMatch(/./);
    expect(complaint("whichever allocation fails", split)).toMatch(/./);
  });

  test("an allocation that fails without a word", () => {
    const silent = withFiles(subject, (file) => {
      const bind = file.bind.bind(file);
      const createObject = file.createObject.bind(file);
      return {
        createObject: (bytes, options) => {
          const ret = createObject(bytes, options);
          return ret === -12 ? 99 : ret;
        },
        bind: (vm, ops, queued) => {
          const { ret } = bind(vm, ops, queued);
          return { ret: ret === -12 ? 0 : ret, done: ops.length };
        },
      };
    });
    expect(complaint("whichever allocation fails", silent)).toMatch(/./);
    expect(complaint("memory that runs out for real", silent)).toMatch(/./);
  });
});

test("no two subjects have one name, and every law applies to one of them", () => {
  const names = SUBJECTS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const law of LAWS) {
    expect([law.title, SUBJECTS.some((subject) => law.when?.(subject) ?? true)]).toEqual([law.title, true]);
  }
});
