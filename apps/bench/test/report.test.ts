import { SPARSE_STRATEGIES } from "@vmbind/lab";
import { JSDOM } from "jsdom";
import { beforeAll, describe, expect, it } from "vitest";
import { EXPLORE_GROUPS } from "../src/explore/fields.ts";
import { FIELD_GROUPS, fieldAt, methodsMarkdown } from "../src/report/fields.ts";
import { formatUnit, PageData } from "../src/report/figure-data.ts";
import { html } from "../src/report/html.ts";
import type { ReportInput } from "../src/report/input.ts";
import { ORDER } from "../src/report/palette.ts";
import { nudgeApart } from "../src/report/plot.ts";
import { renderReport } from "../src/report/report.ts";
import { smallInput } from "./report-input.ts";

let input: ReportInput;
let page: string;
let document: Document;

beforeAll(async () => {
  input = await smallInput();
  page = await renderReport(input);
  document = new JSDOM(page).window.document;
}, 120_000);

const all = <T extends Element>(selector: string): T[] => [...document.querySelectorAll<T>(selector)];

/** The value at a path, looked up without the report's own code. */
function lookUp(root: unknown, path: string): unknown {
  return path.split(".").reduce((value, part) => (value as Record<string, unknown>)[part], root);
}

describe("the report", () => {
  it("shows no number that the input does not have under that path", () => {
    const shown = all<HTMLElement>("[data-field]");
    expect(shown.length).toBeGreaterThan(1000);
    for (const mark of shown) {
      const { field, value } = mark.dataset as { field: string; value: string };
      expect(lookUp(input, field), field).toBe(Number(value));
    }
  });

  it("writes each number as its value in its unit", () => {
    const factor = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, "%": 0.01 };
    for (const mark of all<HTMLElement>("span[data-field]")) {
      const text = (mark.textContent as string).replaceAll(",", "").replace("−", "-");
      const value = Number(mark.dataset["value"]);
      const [digits, unit] = text.split(" ");
      const read = Number(digits) * (unit ? factor[unit as keyof typeof factor] : 1);
      expect(Math.abs(read - value), `${mark.dataset["field"]}: ${text}`).toBeLessThanOrEqual(
        Math.abs(value) * 0.005,
      );
    }
  });

  it("shows sentences and answers as the input has them", () => {
    const shown = all<HTMLElement>("[data-text]");
    expect(shown.length).toBe(input.lab.findings.length + input.lab.semantics.length);
    for (const mark of shown) expect(mark.textContent).toBe(lookUp(input, mark.dataset["text"] as string));
  });

  it("marks the figures of every finding that has them as digits", () => {
    for (const [i, { text, values }] of input.lab.findings.entries()) {
      const marks = all<HTMLElement>(`[data-field^="lab.findings.${i}.values."]`);
      expect(
        marks.map((m) => Number(m.dataset["value"])),
        text,
      ).toEqual(values);
    }
  });

  it("explains every field that it shows, and links to sentences that are there", () => {
    for (const mark of all<HTMLElement>("[data-field]"))
      expect(() => fieldAt(mark.dataset["field"] as string)).not.toThrow();
    const links = all<HTMLAnchorElement>('a[href^="#"]');
    expect(links.length).toBeGreaterThan(100);
    for (const link of links) expect(document.getElementById(link.hash.slice(1)), link.hash).not.toBeNull();
  });

  it("carries its data, but for long lists of runs", () => {
    const carried = JSON.parse(document.getElementById("data")?.textContent ?? "") as ReportInput;
    const short = (value: ReportInput): unknown => ({
      ...value,
      lab: {
        ...value.lab,
        costs: value.lab.costs.map((c) => ({ ...c, views: c.views.map(({ runs: _, ...v }) => v) })),
      },
    });
    expect(short(carried)).toEqual(short(input));
  });

  it("escapes what comes from outside", () => {
    expect(page).not.toContain("<b>random");
    expect(page).not.toContain("<script>alert");
    expect(html`<p title="${`"<&'`}">${["<i>", html`<b>${"<"}</b>`]}</p>`.text).toBe(
      '<p title="&quot;&lt;&amp;&#39;">&lt;i&gt;<b>&lt;</b></p>',
    );
  });

  it("asks nothing of the network and is small", () => {
    expect(page).not.toMatch(/(?:src|href)="(?!#|data:,")/);
    expect(page).not.toMatch(/@import|url\(/);
    expect(page.length).toBeLessThan(2e6);
  });

  it("is the same every time", async () => {
    expect(await renderReport(input)).toBe(page);
  });

  it("has a text alternative for each chart, captions and scopes for each table, and no id twice", () => {
    for (const svg of all("svg")) expect(svg.getAttribute("aria-label")?.length).toBeGreaterThan(10);
    for (const table of all("table")) expect(table.querySelector("caption")?.textContent).toBeTruthy();
    for (const th of all("th")) expect(["row", "col"]).toContain(th.getAttribute("scope"));
    const ids = all("[id]").map((e) => e.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("gives every bar of the first figure the length of its number", () => {
    const panel = document.querySelector("#creation .panel svg") as SVGElement;
    const bars = [...panel.querySelectorAll('[aria-label="bar"] rect')].map((r) =>
      Number(r.getAttribute("width")),
    );
    const values = [...panel.querySelectorAll<SVGElement>("[data-field]")].map((t) =>
      Number(t.dataset["value"]),
    );
    expect(bars).toHaveLength(SPARSE_STRATEGIES.length);
    const most = Math.max(...values);
    const scale = Math.max(...bars) / Math.log(most / 0.5);
    for (const [i, value] of values.entries()) {
      expect(bars[i]).toBeCloseTo(Math.log(Math.max(value, 0.5) / 0.5) * scale, 0);
    }
  });

  it("leaves sections out that have no data", async () => {
    const { lab } = input;
    const empty = await renderReport({
      ...input,
      recorded: [],
      sweeps: { ...input.sweeps, rows: [] },
      lab: { ...lab, semantics: [], accounting: [], findings: [] },
    });
    const sections = [...new JSDOM(empty).window.document.querySelectorAll("section")].map((s) => s.id);
    expect(sections).not.toContain("growth");
    expect(sections).not.toContain("accounting");
    expect(sections).toContain("costs");
  });

  it("refuses a number that nobody explains", async () => {
    const [row] = input.recorded;
    const recorded = [{ ...(row as (typeof input.recorded)[number]), metrics: { mystery: 1 } }];
    await expect(renderReport({ ...input, recorded })).rejects.toThrow("recorded.0.metrics.mystery");
  });
});

describe("how it is counted", () => {
  it("is what the documentation says; `vitest -u` writes it", async () => {
    await expect(methodsMarkdown([...FIELD_GROUPS, ...EXPLORE_GROUPS])).toMatchFileSnapshot(
      "../../../docs/how-it-is-counted.md",
    );
  });

  it("says something of every field", () => {
    for (const { fields } of [...FIELD_GROUPS, ...EXPLORE_GROUPS]) {
      for (const { title, how } of Object.values(fields)) {
        expect(title).not.toBe("");
        expect(how).toMatch(/^[A-Za-z].*\.$/);
      }
    }
  });
});

describe("parts of a page", () => {
  it("know the strategies in the order of the table", () => {
    expect([...ORDER]).toEqual(SPARSE_STRATEGIES.map((s) => s.name));
  });

  it("write numbers in their units", () => {
    expect(formatUnit(24415, "count")).toBe("24,415");
    expect(formatUnit(-2, "count")).toBe("−2");
    expect(formatUnit(100003840, "bytes")).toBe("95.4 MiB");
    expect(formatUnit(2 ** 21, "bytes")).toBe("2 MiB");
    expect(formatUnit(0x1234, "address")).toBe("0x1234");
    expect(formatUnit(0.125, "fraction")).toBe("12.5 %");
  });

  it("find numbers by path and refuse what is none", () => {
    const data = new PageData({ a: [{ b: 3, c: "x" }] });
    expect(data.at("a.0.b")).toEqual({ path: "a.0.b", value: 3 });
    expect(data.at("a.1.b")).toBeNull();
    expect(() => data.at("a.0.c")).toThrow("a.0.c: expected a number");
  });

  it("keep labels apart, in order and inside", () => {
    const at = nudgeApart([10, 11, 11, 90, 100], 13, 0, 100);
    const sorted = [...at].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++)
      expect((sorted[i] as number) - (sorted[i - 1] as number)).toBeGreaterThanOrEqual(13);
    expect(Math.max(...at)).toBeLessThanOrEqual(100);
    expect(at[0]).toBe(10);
  });
});
