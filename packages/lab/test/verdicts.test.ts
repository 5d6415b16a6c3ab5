/**
 * Goal: a verdict says what the accounting says: whose memory is hidden, what outlives its resource, who must lock what.
 * Method: invented figures, one thing wrong at a time.
 */

import {
  type AccountingFigures,
  type AccountingResult,
  accountingAnswer,
  type VerdictData,
  verdicts,
} from "@vmbind/lab";
import { describe, expect, it } from "vitest";

const NOTHING: AccountingFigures = {
  gpuvas: 0,
  gpuvaBytes: 0,
  vmBos: 0,
  vmBoBytes: 0,
  vmRefs: 0,
  vmBoRefs: 0,
  gemRefs: 0,
  handles: 0,
  visibleBytes: 0,
  visibleResidentBytes: 0,
  backingBytes: 0,
  hiddenBytes: 0,
  tableBytes: 0,
  sparseVaBytes: 0,
  extobjs: 0,
  submitLocks: 0,
};

function account(
  strategy: string,
  sparse: Partial<AccountingFigures>,
  left: Partial<AccountingFigures> = {},
): AccountingResult {
  return {
    strategy,
    resourceBytes: 4096,
    memoryBytes: 4096,
    moments: [],
    sparse: { ...NOTHING, ...sparse },
    tile: NOTHING,
    left: { ...NOTHING, ...left },
  };
}

function verdictOf(result: AccountingResult, more: Partial<VerdictData> = {}) {
  const [verdict] = verdicts({ costs: [], semantics: [], accounting: [result], ...more });
  if (verdict === undefined) throw new Error("no verdict");
  const lines = Object.fromEntries(verdict.lines.map(({ id, text }) => [id, text]));
  return { astray: verdict.astray, lines };
}

describe("a verdict", () => {
  it("is no where nothing is held, hidden or left", () => {
    expect(verdictOf(account("a", {}))).toEqual({
      astray: false,
      lines: {
        memory: "No memory comes with it.",
        references: "It holds no reference.",
        left: "Destroying the resource leaves no mapping, reference or object.",
        locks: "A submit locks nothing for it.",
      },
    });
  });

  it("is yes where memory is in no file's statistics", () => {
    const { astray, lines } = verdictOf(
      account("a", { hiddenBytes: 8192, backingBytes: 8192, submitLocks: 1 }, { hiddenBytes: 8192 }),
    );
    expect(astray).toBe(true);
    expect(lines["memory"]).toBe("Behind it are 8,192 bytes of memory that no file's statistics show.");
    expect(lines["left"]).toBe(
      "Destroying the resource ends its mappings; the kernel keeps the 8,192 bytes.",
    );
    expect(lines["locks"]).toBe("Because of it every submit locks 1 reservation more.");
  });

  it("is yes where mappings of unbound addresses outlive their resource", () => {
    const { astray, lines } = verdictOf(
      account("a", { gpuvas: 2, vmRefs: 2 }, { gpuvas: 3, sparseVaBytes: 4096, vmRefs: 3, vmBoRefs: 3 }),
    );
    expect(astray).toBe(true);
    expect(lines["left"]).toBe(
      "When the resource is destroyed 3 mappings of 4,096 unbound bytes stay, with 6 references.",
    );
  });

  it("is no where the client keeps an object that statistics show", () => {
    const { astray, lines } = verdictOf(
      account("a", { gpuvas: 1, vmRefs: 1, backingBytes: 4096 }, { handles: 1, visibleBytes: 4096 }),
    );
    expect(astray).toBe(false);
    expect(lines["left"]).toContain("the client keeps 1 object of 4,096 bytes");
    expect(lines["references"]).toBe(
      "It is 1 mapping and holds 1 reference to its VM, 0 to vm_bos and 0 to objects.",
    );
  });

  it("says who else reads what is written to an unbound page", () => {
    const seen = (vm: number, file: number): string | undefined => {
      const asked = { strategy: "a", question: "", answer: "", ok: null };
      const semantics = [
        { ...asked, id: "visible-other-vm", detail: { aliases: vm } },
        { ...asked, id: "visible-other-file", detail: { aliases: file } },
      ];
      return verdictOf(account("a", {}), { semantics }).lines["seen"];
    };
    expect(seen(0, 0)).toBe("What is written to an unbound page, no other VM and no other process reads.");
    expect(seen(9, 0)).toContain("another VM of the file reads; no other process does");
    expect(seen(9, 9)).toBe("What is written to an unbound page, another process reads.");
  });

  it("of all in one sentence names who is wrong, and with how much", () => {
    const accounting = [
      account("a", { hiddenBytes: 8192 }),
      account("b", {}, { gpuvas: 3, sparseVaBytes: 1 }),
      account("c", {}),
    ];
    const all = verdicts({ costs: [], semantics: [], accounting });
    expect(accountingAnswer(all, accounting)).toEqual([
      {
        id: "accounting-answer",
        text: "Bytes that no file's statistics show: 8,192 with a; mappings that outlive their resource: 3 with b. All others keep their books.",
        values: [8192, 3],
      },
    ]);
    expect(accountingAnswer(all.slice(2), accounting.slice(2))[0]?.text).toBe(
      "Accounting and references are right with all of them.",
    );
  });
});
