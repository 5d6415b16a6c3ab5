import { SPARSE_STRATEGIES } from "@vmbind/lab";
import { JSDOM } from "jsdom";
import { beforeAll, describe, expect, it } from "vitest";
import { FIELD_GROUPS } from "../src/report/field-groups.ts";
import { fieldAt, methodsMarkdown } from "../src/report/fields.ts";
import { formatUnit, PageData } from "../src/report/figure-data.ts";
import { html } from "../src/report/html.ts";
import { type ReportInput, shownStrategy } from "../src/report/input.ts";
import { strategyColour, strategyStyle } from "../src/report/palette.ts";
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
    const factor = {
      s: 1e6,
      ms: 1000,
      µs: 1,
      B: 1,
      KiB: 2 ** 10,
      MiB: 2 ** 20,
      GiB: 2 ** 30,
      TiB: 2 ** 40,
      "%": 0.01,
    };
    for (const mark of all<HTMLElement>("span[data-field]")) {
      const text = (mark.textContent as string).replaceAll(/[,×]/g, "").replace("−", "-");
      const value = Number(mark.dataset["value"]);
      if (text === "whole VM") {
        // No range, or one of all addresses: a size would say what nobody meant.
        expect(mark.dataset["field"]).toMatch(/\.tlbInvalidatedBytes$/);
        expect(value === 0 || value >= 2 ** 47).toBe(true);
        continue;
      }
      const [digits, unit] = text.split(" ");
      const read = Number(digits) * (unit ? factor[unit as keyof typeof factor] : 1);
      expect(Math.abs(read - value), `${mark.dataset["field"]}: ${text}`).toBeLessThanOrEqual(
        Math.abs(value) * 0.005,
      );
    }
  });

  it("shows sentences and answers as the input has them", () => {
    const shown = all<HTMLElement>("[data-text]");
    const { findings, semantics, verdicts } = input.lab;
    const told = findings.length + semantics.length + verdicts.flatMap(({ lines }) => lines).length;
    // The accounting's answer and what workloads disagree about stand on the first screen too.
    expect(shown.length).toBeGreaterThanOrEqual(told + input.answer.lines.length + 1);
    expect(new Set(shown.map((mark) => mark.dataset["text"])).size).toBe(told + input.answer.lines.length);
    for (const mark of shown) expect(mark.textContent).toBe(lookUp(input, mark.dataset["text"] as string));
  });

  it("marks the figures of every finding that has them as digits", () => {
    for (const [i, { text, values }] of input.lab.findings.entries()) {
      const marks = all<HTMLElement>(`#findings [data-field^="lab.findings.${i}.values."]`);
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

  it("begins with the answer: who needs least and most, factors, and whether books are kept", () => {
    const [first, second] = all("main > section");
    expect([first?.id, second?.id]).toEqual(["question", "answer"]);
    expect(all("#answer li").map((line) => line.textContent)).toEqual([
      ...input.answer.lines.map(({ text }) => text),
      input.lab.findings.find(({ id }) => id === "disagree-own")?.text,
      input.lab.findings.find(({ id }) => id === "accounting-answer")?.text,
    ]);
    const factors = all<HTMLElement>("#answer small [data-field]");
    expect(factors.length).toBeGreaterThan(10);
    expect(factors.map((mark) => Number(mark.dataset["value"])).every((factor) => factor > 1)).toBe(true);
  });

  it("answers the maintainer's question with yes or no for each strategy", () => {
    const rows = all("#accounting table").at(0)?.querySelectorAll("tbody tr") ?? [];
    expect(
      [...rows].map((row) => [...row.children].slice(0, 2).map((cell) => cell.textContent?.trim())),
    ).toEqual(input.lab.verdicts.map(({ strategy, astray }) => [strategy, astray ? "yes" : "no"]));
  });

  it("folds questions that all strategies answer alike, and keeps each of them", () => {
    const ids = new Set(input.lab.semantics.map(({ id }) => id));
    const alike = (id: string): boolean =>
      new Set(input.lab.semantics.filter((a) => a.id === id).map((a) => `${a.ok} ${a.answer}`)).size === 1;
    const folded = all("#semantics details .matrix tbody th").map((th) => th.id);
    expect(folded.sort()).toEqual(
      [...ids]
        .filter(alike)
        .map((id) => `q-${id}`)
        .sort(),
    );
    expect(folded.length).toBeGreaterThan(0);
    expect(all("#semantics .matrix tbody th")).toHaveLength(ids.size);
  });

  it("shows reads side by side, and says first where strategies disagree", () => {
    const tables = all("#reads table");
    expect(tables.map((table) => table.querySelector("caption")?.textContent)).toEqual([
      "own: what does not come out alike.",
      "own: what comes out alike.",
    ]);
    const [differing] = tables.map((table) => [...table.querySelectorAll("tbody tr")]);
    expect(differing?.map((row) => row.querySelector("th")?.textContent)).toEqual(["6: read tex + 0x300000"]);
    const words = [...(differing?.[0]?.querySelectorAll("td") ?? [])].map((cell) => cell.textContent);
    expect(new Set(words)).toEqual(new Set(["0x0", "0x9"]));
    const found = input.lab.findings.find(({ id }) => id === "disagree-own");
    expect(found?.text).toContain("The first is step 6, a read at byte 3,145,728 of its resource");
  });

  it("links to each of its sections", () => {
    const linked = all<HTMLAnchorElement>("nav.contents a").map((link) => link.hash.slice(1));
    expect(linked).toEqual(all("main > section").map(({ id }) => id));
  });

  it("is about a workload of the user's own where that is what was compared", async () => {
    expect(document.title).toMatch(/^own: /);
    expect(document.querySelector(".lead")?.textContent).toContain(
      "a texture that is read where nothing is bound",
    );
    const asked = await renderReport({ ...input, answer: { ...input.answer, workload: "buffer-100e6" } });
    expect(new JSDOM(asked).window.document.title).toBe("How should user space say that a range is sparse?");
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

  const marksOf = (panel: SVGElement, mark: string, attribute: string): number[] =>
    [...panel.querySelectorAll(mark)].map((element) => Number(element.getAttribute(attribute)));
  const valuesOf = (panel: SVGElement): number[] =>
    [...panel.querySelectorAll<SVGElement>("[data-field]")].map((text) => Number(text.dataset["value"]));

  it("puts every dot of the first figure where its number is on a logarithmic scale", () => {
    const panel = document.querySelector("#creation .panel svg") as SVGElement;
    const dots = marksOf(panel, '[data-mark="dot"] circle', "cx");
    const values = valuesOf(panel);
    expect(dots).toHaveLength(SPARSE_STRATEGIES.length);
    const at = (value: number): number => Math.log(Math.max(value, 0.5));
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const perUnit = (Math.max(...dots) - Math.min(...dots)) / (at(most) - at(least));
    for (const [i, value] of values.entries())
      expect(dots[i]).toBeCloseTo(Math.min(...dots) + (at(value) - at(least)) * perUnit, 0);
  });

  it("draws bars on linear scales only, each as long as its number", () => {
    const panels = all<SVGElement>("svg.plot").filter((svg) => svg.querySelector('[data-mark="bar"]'));
    expect(panels.length).toBeGreaterThan(0);
    for (const panel of panels) {
      const bars = marksOf(panel, '[data-mark="bar"] rect', "width");
      const values = valuesOf(panel);
      const perUnit = Math.max(...bars) / Math.max(1, ...values);
      for (const [i, value] of values.entries()) expect(bars[i]).toBeCloseTo(value * perUnit, 0);
    }
  });

  it("leaves sections out that have no data", async () => {
    const { lab } = input;
    const empty = await renderReport({
      ...input,
      recorded: [],
      sweeps: { ...input.sweeps, rows: [] },
      lab: { ...lab, semantics: [], accounting: [], findings: [], verdicts: [] },
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
    await expect(methodsMarkdown(FIELD_GROUPS)).toMatchFileSnapshot("../../../docs/how-it-is-counted.md");
  });

  it("says something of every field", () => {
    for (const { fields } of FIELD_GROUPS) {
      for (const { title, how } of Object.values(fields)) {
        expect(title).not.toBe("");
        expect(how).toMatch(/^[A-Za-z].*\.$/);
      }
    }
  });
});

describe("parts of a page", () => {
  it("name a colour for each strategy, light and dark", () => {
    const style = strategyStyle(SPARSE_STRATEGIES.map(shownStrategy));
    for (const { name, look } of SPARSE_STRATEGIES) {
      expect(style.split(`--s-${name}:${look.light}`)).toHaveLength(2);
      expect(style.split(`--s-${name}:${look.dark}`)).toHaveLength(3);
      expect(strategyColour(name)).toBe(`var(--s-${name},var(--muted))`);
    }
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
