import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { openPage, PAGE } from "./page.ts";

test("the first load is at most 250 kB", () => {
  const bytes = gzipSync(readFileSync(PAGE), { level: 9 }).length;
  expect(bytes).toBeLessThan(250_000);
  expect(bytes).toBeGreaterThan(20_000);
});

inChromium("the page in Chromium", (browser) => {
  test("opens from a file without a complaint, and has a theme of its own if asked", async () => {
    const { page, complaints } = await openPage(browser());
    await page.getByRole("navigation", { name: "panes" }).waitFor();
    const paper = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await paper();
    await page.getByRole("button", { name: "Dark" }).click();
    expect(await paper()).not.toBe(before);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
