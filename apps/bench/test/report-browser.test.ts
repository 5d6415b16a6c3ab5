import { pathToFileURL } from "node:url";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startBrowser } from "../../../test/chromium.ts";
import type { ReportInput } from "../src/report/input.ts";
import { renderReport } from "../src/report/report.ts";
import { smallInput } from "./report-input.ts";
import { tempFile } from "./run.ts";

let input: ReportInput;
let url: string;
let browser: Browser;

/** What the page said on its console, and where it wanted to go. */
interface Opened {
  page: Page;
  complaints: string[];
  requests: string[];
}

async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, complaints, requests };
}

describe.skipIf(!chromiumPath)("the report in Chromium", () => {
  beforeAll(async () => {
    input = await smallInput();
    url = pathToFileURL(tempFile("report.html", await renderReport(input))).href;
    browser = await startBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
  });

  it("opens without a complaint, and loads nothing but itself", async () => {
    const { page, complaints, requests } = await open();
    await page.waitForLoadState("load");
    expect(complaints).toEqual([]);
    expect(requests.filter((r) => !r.startsWith("data:"))).toEqual([url]);
  });

  it("shows charts that can be seen, with the numbers of the input", async () => {
    const { page } = await open();
    const charts = await page.locator("svg.plot:visible").count();
    expect(charts).toBeGreaterThanOrEqual(6 + 2 + 2 + 7);
    for (const box of await page
      .locator("svg.plot:visible")
      .evaluateAll((all) => all.map((e) => e.getBoundingClientRect().width))) {
      expect(box).toBeGreaterThan(200);
    }
    const marks = await page
      .locator("[data-field]")
      .evaluateAll((all) =>
        all.map(
          (e) => [e.getAttribute("data-field") as string, Number(e.getAttribute("data-value"))] as const,
        ),
      );
    for (const [field, value] of marks) {
      const at = field.split(".").reduce<unknown>((v, part) => (v as Record<string, unknown>)[part], input);
      expect(at, field).toBe(value);
    }
  });

  it("shows the workload and the cost that are chosen, with the keyboard too", async () => {
    const { page, complaints } = await open();
    const figure = page.locator("#costs figure");
    const workload = input.lab.costs.at(-1)?.workload as string;
    await figure.locator("select[name=workload]").selectOption(workload);
    await figure.locator("select[name=metric]").focus();
    await page.keyboard.press("End");
    const metric = await figure.locator("select[name=metric]").inputValue();
    expect(metric).toBe("tlbInvalidations");
    const shown = figure.locator(".variant:visible");
    expect(await shown.count()).toBe(2);
    const fields = await shown
      .first()
      .locator("[data-field]")
      .evaluateAll((all) => all.map((e) => e.getAttribute("data-field") as string));
    expect(fields.length).toBeGreaterThan(0);
    for (const field of fields) {
      const [, , index, , , name] = field.split(".");
      expect(input.lab.costs[Number(index)]?.workload).toBe(workload);
      expect(name).toBe(metric);
    }
    expect(complaints).toEqual([]);
  });

  it("tells of a number under the pointer where it is from", async () => {
    const { page } = await open();
    const mark = page.locator("#creation svg [data-field]").first();
    await mark.hover();
    const { field, value } = await mark.evaluate((e) => ({ ...(e as HTMLElement).dataset }));
    await expect
      .poll(() => page.locator("#tip").textContent())
      .toContain(`${field} = ${Number(value).toLocaleString("en")}`);
  });

  it("opens the sentence on how a field is counted", async () => {
    const { page } = await open();
    await page.locator('#accounting a[href="#how-accounting-hiddenBytes"]').first().click();
    expect(await page.locator("#how-accounting-hiddenBytes").isVisible()).toBe(true);
  });

  it.each(["light", "dark"] as const)("is readable in %s and can be switched", async (colorScheme) => {
    const { page } = await open({ colorScheme });
    const lightness = (): Promise<number> =>
      page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]));
    const before = await lightness();
    expect(before > 128).toBe(colorScheme === "light");
    await page.locator("button.theme").focus();
    await page.keyboard.press("Enter");
    expect((await lightness()) > 128).toBe(colorScheme !== "light");
    const contrast = await page.evaluate(() => {
      const luminance = (css: string): number => {
        const [r, g, b] = (css.match(/\d+/g) ?? []).map((v) => (Number(v) / 255) ** 2.2) as [
          number,
          number,
          number,
        ];
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const style = (e: Element): CSSStyleDeclaration => getComputedStyle(e);
      const paper = luminance(style(document.body).backgroundColor);
      return ["p", "caption", "a", "summary", "svg.plot text"].map((selector) => {
        const e = document.querySelector(selector) as Element;
        const ink = luminance(e instanceof SVGElement ? style(e).fill : style(e).color);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      });
    });
    for (const ratio of contrast) expect(ratio).toBeGreaterThan(4.5);
  });

  it.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)(
    "has nothing that axe finds fault with: %s, %d wide",
    async (colorScheme, width) => {
      const { page } = await open({ colorScheme, viewport: { width, height: 900 } });
      await page.locator("details").evaluateAll((all) => {
        for (const e of all) (e as HTMLDetailsElement).open = true;
      });
      // The page runs no script but its own; the debugger's may.
      await page.evaluate(axe.source);
      const found = await page.evaluate(async () => {
        const { violations } = await (globalThis as unknown as { axe: typeof import("axe-core") }).axe.run();
        return violations.map(
          ({ id, nodes }) =>
            `${id}: ${nodes
              .map(({ html }) => html.slice(0, 120))
              .slice(0, 3)
              .join(" | ")}`,
        );
      });
      expect(found).toEqual([]);
    },
    120_000,
  );

  it("sorts a table whose rows have no order of their own, by numbers as numbers", async () => {
    const { page } = await open();
    const table = page.locator("#answer table");
    const column = (): Promise<number[]> =>
      table
        .locator("tbody tr td:nth-child(2)")
        .evaluateAll((cells) =>
          cells.map((cell) =>
            Number(cell.querySelector<HTMLElement>("[data-value]")?.dataset["value"] ?? -1),
          ),
        );
    await table.getByRole("button", { name: "sort by operations" }).focus();
    await page.keyboard.press("Enter");
    const ascending = await column();
    expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
    expect(await table.locator("th[aria-sort=ascending]").count()).toBe(1);
    await page.keyboard.press("Enter");
    expect(await column()).toEqual(ascending.toReversed());
  });

  it("keeps the colours of its swatches on paper", async () => {
    const { page } = await open();
    await page.emulateMedia({ media: "print" });
    const adjust = await page
      .locator(".swatch")
      .first()
      .evaluate((e) => getComputedStyle(e).printColorAdjust);
    expect(adjust).toBe("exact");
  });

  it("fits a telephone: only tables scroll sideways", async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 } });
    await page.locator("details").evaluateAll((all) => {
      for (const e of all) (e as HTMLDetailsElement).open = true;
    });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    const text = await page
      .locator("svg.plot text:visible")
      .first()
      .evaluate((e) => e.getBoundingClientRect().height);
    expect(text).toBeGreaterThan(9);
  });

  it("has everything without JavaScript", async () => {
    const { page } = await open({ javaScriptEnabled: false });
    expect(await page.locator("select:visible").count()).toBe(0);
    expect(await page.locator("#costs figure .stage svg:visible").count()).toBe(2);
    expect(await page.locator("#growth .stage svg:visible").count()).toBe(2);
    expect(await page.locator("#leaves .stage svg:visible").count()).toBe(11);
    await page.locator("#costs details.rest > summary").click();
    const charts = await page.locator("#costs figure svg:visible").count();
    expect(charts).toBe(9 * new Set(input.lab.costs.map((c) => c.workload)).size + 9);
    expect(await page.locator("#semantics .matrix:visible").count()).toBe(1);
  });
});
