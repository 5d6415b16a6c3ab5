import { describe, expect, it } from "vitest";
import { deviceOptions, type QuirkTable, quirksOf, quirksText } from "../src/index.ts";

const TABLE: QuirkTable<"seen" | "rare" | "also"> = {
  seen: { text: "A.", off: "B.", origin: "here", profiles: ["linux-7.3"] },
  rare: { text: "A.", off: "B.", origin: "there" },
  also: { text: "A.", off: "B.", origin: "there", profiles: ["linux-7.3"] },
};

describe("a choice of quirks", () => {
  it("is none unless told", () => {
    expect(quirksOf(TABLE)).toEqual({ seen: false, rare: false, also: false });
  });

  it("is a profile, single names, or a condition", () => {
    expect(quirksOf(TABLE, "linux-7.3")).toEqual({ seen: true, rare: false, also: true });
    expect(quirksOf(TABLE, { rare: true, also: false })).toEqual({ seen: false, rare: true, also: false });
    expect(quirksOf(TABLE, ({ origin }, name) => origin === "there" && name !== "also")).toEqual(
      quirksOf(TABLE, { rare: true }),
    );
  });

  it("is nothing in an ideal kernel, and with a posted patch all of the kernel below it and more", () => {
    const table: QuirkTable<"seen" | "posted"> = {
      seen: TABLE.seen,
      posted: { text: "A.", off: "B.", origin: "a patch", profiles: ["as-posted-v5"] },
    };
    expect(quirksOf(table, "ideal")).toEqual(quirksOf(table));
    expect(quirksOf(table, "linux-7.3")).toEqual({ seen: true, posted: false });
    expect(quirksOf(table, "as-posted-v5")).toEqual({ seen: true, posted: true });
    expect(quirksText(table, quirksOf(table, "as-posted-v5"))).toBe("quirks of as-posted-v5 (seen, posted)");
  });

  it("refuses names that there are not", () => {
    expect(() => quirksOf(TABLE, "linux-7.2" as "linux-7.3")).toThrow(
      new RangeError('quirks: no profile "linux-7.2"; there are ideal, linux-7.3, as-posted-v5'),
    );
    expect(() => quirksOf(TABLE, { rara: true } as object)).toThrow(
      new RangeError("quirks.rara: there are seen, rare, also"),
    );
  });

  it("has words for a caption: the profile where it is exactly one", () => {
    expect(quirksText(TABLE, quirksOf(TABLE))).toBe("no quirks");
    expect(quirksText(TABLE, quirksOf(TABLE, "linux-7.3"))).toBe("quirks of linux-7.3 (seen, also)");
    expect(quirksText(TABLE, quirksOf(TABLE, { seen: true }))).toBe("quirks seen");
    expect(
      quirksText(
        TABLE,
        quirksOf(TABLE, () => true),
      ),
    ).toBe("quirks seen, rare, also");
  });
});

describe("options of a device", () => {
  const defaults = () => ({
    size: 1,
    cache: { ways: 2 } as { ways: number } | null,
    quirks: quirksOf(TABLE),
  });

  it("are the defaults where nothing was chosen, of each device its own", () => {
    const [one, other] = [deviceOptions(defaults, {}, TABLE), deviceOptions(defaults, {}, TABLE)];
    expect(one).toEqual(defaults());
    expect(one).not.toBe(other);
  });

  it("are what was chosen, null too, with every quirk by name", () => {
    const chosen = { size: 3, cache: null, quirks: { rare: true } };
    expect(deviceOptions(defaults, chosen, TABLE)).toEqual({
      size: 3,
      cache: null,
      quirks: { seen: false, rare: true, also: false },
    });
    expect(deviceOptions(defaults, { quirks: "linux-7.3" }, TABLE).quirks).toEqual(
      quirksOf(TABLE, "linux-7.3"),
    );
  });

  it("refuse quirks that there are not", () => {
    const chosen = { quirks: { rara: true } as object };
    expect(() => deviceOptions(defaults, chosen, TABLE)).toThrow(RangeError);
  });
});
