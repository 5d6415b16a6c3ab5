import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { lensOf, replayTrace } from "@vmbind/lab";
import { type MappingTuple, type Moment, regionsOf, type TraceStory, tellStory } from "@vmbind/trace";
import { JSDOM } from "jsdom";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startBrowser } from "../../../test/chromium.ts";
import { renderExplore } from "../src/explore/explore.ts";
import { EXPLORE_GROUPS } from "../src/explore/fields.ts";
import { type Packed, unpacked } from "../src/explore/packed.ts";
import { mappingsAfter } from "../src/explore/space.ts";
import { openTrace } from "../src/files/trace-files.ts";
import { fieldAt } from "../src/report/fields.ts";
import { tempFile, vmbind } from "./run.ts";

const TRACE = "panthor-blackhole-image-window";

let story: TraceStory;
let page: string;

beforeAll(async () => {
  story = await tellStory(await openTrace(TRACE), await lensOf(await openTrace(TRACE)));
  page = await renderExplore(story);
}, 60_000);

/** All but the kind. */
function text([vm, addr, range, _, bo, offset]: MappingTuple): string {
  return `${vm} ${addr} ${range} ${bo} ${offset}`;
}

describe("a story", () => {
  it("tells memory from the object that stands in for it", () => {
    const handles = story.kinds.map(
      (_, kind) =>
        new Set(story.moments.flatMap((m) => m.added.flatMap((a) => (a[3] === kind ? [a[4]] : [])))),
    );
    const blackhole = story.kinds.indexOf("MAP blackhole");
    expect(handles[blackhole]?.size).toBe(1);
    const memory = handles[story.kinds.indexOf("MAP memory")];
    expect(memory?.size).toBeGreaterThan(0);
    for (const handle of handles[blackhole] ?? []) expect(memory?.has(handle)).toBe(false);
  });

  it.each([
    TRACE,
    "panthor-sparse-image-3d",
    "asahi-image-window",
    "asahi-many-small",
    "xe-image-window",
    "xe-igt-unbind-all-8-vmas",
    "xe-igt-munmap-style-unbind-many-all",
  ])("has every mapping of every moment, played forward from the start: %s", async (name) => {
    const expected: string[] = [];
    const story = await tellStory(await openTrace(name), await lensOf(await openTrace(name)));
    await replayTrace(await openTrace(name), {
      after: (record, device) => {
        if (record.kind === "mark") return;
        expected.push(
          [...device.file(0).vms()]
            .flatMap(([id, vm]) =>
              [...vm.mappings()].map(({ addr, range, bo, offset }) => text([id, addr, range, 0, bo, offset])),
            )
            .join("\n"),
        );
      },
    });
    expect(story.moments).toHaveLength(expected.length);
    const mapped = new Map<string, MappingTuple>();
    for (const [seq, { added, removed }] of story.moments.entries()) {
      for (const [vm, addr] of removed) mapped.delete(`${vm} ${addr}`);
      for (const mapping of added) mapped.set(`${mapping[0]} ${mapping[1]}`, mapping);
      const played = [...mapped.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      expect(played.map(text).join("\n"), `#${seq}`).toBe(expected[seq]);
      if (seq % 97 === 0) expect(new Set(mappingsAfter(story, seq))).toEqual(new Set(played));
    }
  });

  it("counts what replay counts", async () => {
    const result = await replayTrace(await openTrace(TRACE));
    const sum = (name: "pteWrites" | "pteClears" | "tlbInvalidations" | "opCount"): number =>
      story.moments.reduce((n, m) => n + m[name], 0);
    expect(sum("opCount")).toBe(result.counts.bindOps);
    expect(sum("pteWrites")).toBe(result.cost["pteWrites"]);
    expect(sum("pteClears")).toBe(result.cost["pteClears"]);
    expect(sum("tlbInvalidations")).toBe(result.cost["tlbInvalidations"]);
  });

  it("has a place for every mapping", () => {
    for (const [vm, addr, range] of story.moments.flatMap((m) => m.added)) {
      expect(
        story.regions.some((r) => r.vm === vm && r.addr <= addr && addr + range <= r.addr + r.range),
      ).toBe(true);
    }
  });

  it("joins mappings across small gaps only, and more of them when there are many", () => {
    const at = (addr: number): MappingTuple => [1, addr, 4096, 0, 0, 0];
    expect(regionsOf([at(8192), at(0), at(2 ** 32)])).toEqual([
      { vm: 1, addr: 0, range: 12288 },
      { vm: 1, addr: 2 ** 32, range: 4096 },
    ]);
    expect(regionsOf(Array.from({ length: 100 }, (_, i) => at(i * 2 ** 24))).length).toBeLessThanOrEqual(14);
    expect(regionsOf([])).toEqual([]);
  });
});

/** The story of the trace over and over: too long for words. Mappings come and go as in the first round. */
function longStory(): TraceStory {
  const moments = Array.from({ length: 5000 }, (_, seq) => {
    const moment = story.moments[seq % story.moments.length] as TraceStory["moments"][number];
    return { ...moment, seq };
  });
  return { ...story, moments };
}

describe("the page of a long trace", () => {
  it("has all of every ioctl, packed, and is no larger than two of a short trace", async () => {
    const long = longStory();
    const text = await renderExplore(long);
    expect(text.length).toBeLessThan(page.length * 2);
    const json = /<script type="application\/json" id="data">(.*)<\/script>\n<script>/.exec(text)?.[1] ?? "";
    const { moments } = JSON.parse(json) as { moments: Packed };
    const found = unpacked(moments).map((moment) => JSON.parse(moment) as Partial<Moment>);
    expect(found).toHaveLength(5000);
    for (const [seq, moment] of found.entries()) {
      const all = Object.entries(long.moments[seq] as Moment);
      const there = all.filter(([, v]) => v !== 0 && !(Array.isArray(v) && v.length === 0));
      expect(moment, `#${seq}`).toEqual(Object.fromEntries(there));
    }
  });

  it.skipIf(!chromiumPath)("shows the ioctl that is chosen as the page of a short one does", async () => {
    const browser = await startBrowser();
    try {
      const shown: string[][] = [];
      for (const [name, text] of [
        ["short", page],
        ["long", await renderExplore(longStory())],
      ] as const) {
        const tab = await browser.newPage();
        const complaints: string[] = [];
        tab.on("console", (m) => complaints.push(m.text()));
        tab.on("pageerror", (e) => complaints.push(e.message));
        await tab.goto(`${pathToFileURL(tempFile(`${name}.html`, text)).href}#at-60`);
        const bars = await tab
          .locator(".vamap svg")
          .evaluateAll((all) => all.map((bar) => bar.outerHTML).join(""));
        shown.push([((await tab.locator("#moment").textContent()) ?? "").trim(), bars]);
        expect(complaints).toEqual([]);
      }
      expect(shown[1]).toEqual(shown[0]);
      expect(shown[0]?.[0]).toMatch(/^#60 /);
    } finally {
      await browser.close();
    }
  });
});

describe("the page of a trace", () => {
  let document: Document;
  beforeAll(() => {
    ({ document } = new JSDOM(page).window);
  });

  it("shows no number that the story does not have, and explains each", () => {
    const marks = [...document.querySelectorAll<HTMLElement>("[data-field]")];
    expect(marks.length).toBeGreaterThan(300);
    for (const { dataset } of marks) {
      const field = dataset["field"] as string;
      const at = field.split(".").reduce<unknown>((v, part) => (v as Record<string, unknown>)[part], story);
      expect(at, field).toBe(Number(dataset["value"]));
      expect(() => fieldAt(field, EXPLORE_GROUPS)).not.toThrow();
    }
  });

  it("has every ioctl's words without JavaScript", () => {
    for (const { seq, ioctl, lines } of story.moments) {
      const article = document.getElementById(`ioctl-${seq}`);
      expect(article?.querySelector("h3")?.textContent).toBe(`#${seq} ${ioctl}`);
      for (const line of lines) expect(article?.textContent).toContain(line);
    }
  });

  it("is written by the command, byte by byte the same", async () => {
    const path = tempFile("explored.html", "");
    const { status, out } = await vmbind("explore", TRACE, "--output", path);
    expect({ status, out }).toEqual({ status: 0, out: `${path}\n` });
    expect(readFileSync(path, "utf8")).toBe(page);
  });

  it("is refused where it cannot be written, and for what is no trace", async () => {
    const { status, err } = await vmbind(
      "explore",
      "panthor-sparse-buffer-100e6",
      "--output",
      join(tempFile("x", ""), "y"),
    );
    expect(status).toBe(2);
    expect(err).toContain("--output:");
    expect((await vmbind("explore", "no-such-trace")).status).toBe(2);
  });
});

describe.skipIf(!chromiumPath)("the page of a trace in Chromium", () => {
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    browser = await startBrowser();
    url = pathToFileURL(tempFile("explore.html", page)).href;
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  it("shows the ioctl that is chosen and the mappings behind it", async () => {
    const tab = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const complaints: string[] = [];
    tab.on("console", (m) => complaints.push(m.text()));
    tab.on("pageerror", (e) => complaints.push(e.message));
    await tab.goto(url);
    // What the script draws at first is what the page without a script has.
    const drawn = tab.locator(".vamap svg rect[fill$='3)']");
    const chosen = Number(await tab.locator("#seq").inputValue());
    expect(await drawn.count()).toBe(mappingsAfter(story, chosen).length);
    const still = await browser.newPage({ javaScriptEnabled: false });
    await still.goto(url);
    expect(await still.locator(".vamap svg rect[fill$='3)']").count()).toBe(await drawn.count());

    await tab.locator("#seq").focus();
    await tab.keyboard.press("Home");
    expect(await tab.locator("#moment h3").textContent()).toBe(`#0 ${story.moments[0]?.ioctl}`);
    expect(await drawn.count()).toBe(mappingsAfter(story, 0).length);
    await tab.locator("#next").click();
    const bind = story.moments.findIndex((m, i) => i > 0 && m.what === "bind");
    expect(await tab.locator("#moment h3").textContent()).toBe(`#${bind} ${story.moments[bind]?.ioctl}`);
    expect(await drawn.count()).toBe(mappingsAfter(story, bind).length);
    const { width, height } = (await tab.locator("#timeline").boundingBox()) as {
      width: number;
      height: number;
    };
    await tab.locator("#timeline").click({ position: { x: width / 2, y: height / 2 } });
    expect(Number(await tab.locator("#seq").inputValue())).toBe(Math.floor(story.moments.length / 2));
    expect(complaints).toEqual([]);
  });

  it("fits a telephone", async () => {
    const tab = await browser.newPage({ viewport: { width: 390, height: 844 } });
    await tab.goto(url);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });
});
