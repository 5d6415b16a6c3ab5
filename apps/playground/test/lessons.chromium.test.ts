import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { LESSONS } from "../src/lessons/table.ts";
import { broken } from "./axe.ts";
import { openPage } from "./page.ts";

/** A loaded machine is slow, and slow is no failure. */
const PATIENCE_MS = 180_000;
const PHONE = { viewport: { width: 390, height: 844 }, colorScheme: "dark" } as const;

/** What a reader does in each lesson, and what is to be seen then. */
const DONE: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  async sparse(page) {
    await page.getByRole("button", { name: /^5 / }).click();
    await page.getByRole("radio", { name: "write it", exact: true }).check();
    await page.getByRole("button", { name: /^5 .*your memory/ }).click();
    await page.getByRole("radio", { name: "read it", exact: true }).check();
    await page.getByRole("button", { name: /^5 wrote 2/ }).click();
    await page.getByRole("button", { name: /^5 reads 2/ }).waitFor();
  },
  async "split-and-merge"(page) {
    await page.getByRole("radio", { name: "2", exact: true }).check();
    await page.getByText("Yes.").waitFor();
    await page.getByRole("button", { name: "Next step" }).press("Enter");
    await page.getByText(/2 pieces of it come back/).waitFor();
    // By keyboard: a page less, and the picture follows.
    await page.getByRole("slider", { name: /^pages/ }).press("ArrowLeft");
    await page.getByRole("img", { name: /asked about: pages 6 to 8/ }).waitFor();
  },
  async walk(page) {
    await page
      .getByRole("group", { name: /Which\?/ })
      .getByRole("radio")
      .first()
      .check();
    await page
      .getByRole("group", { name: /What is that\?/ })
      .getByRole("radio")
      .first()
      .check();
    await page.getByRole("table").waitFor();
    await page.getByRole("button", { name: "Show the whole walk" }).click();
    await page.getByText(/entries read/).waitFor();
  },
  async "why-24415"(page) {
    await page.getByRole("radio", { name: "24,415", exact: true }).check();
    await page.getByText("Yes.").waitFor();
    await page.getByRole("radio", { name: "leaf entries written", exact: true }).check();
    await page.getByRole("list", { name: "leaf entries written" }).waitFor();
  },
  async "dummy-or-null"(page) {
    await page.getByRole("radio", { name: "in some", exact: true }).check();
    await page.getByRole("img", { name: /read back in every tile/ }).waitFor();
  },
  async books(page) {
    await page.getByRole("slider").press("End");
    await page.getByText("the resource is destroyed", { exact: true }).waitFor();
    await page.getByRole("radio", { name: "yes, nothing is left", exact: true }).check();
    await page.getByText(/^Left: /).waitFor();
  },
};

inChromium("lessons in Chromium", (browser) => {
  test("each is gone through on a phone from the first to the last, and has nothing to complain of", {
    timeout: 3 * PATIENCE_MS,
  }, async () => {
    const { page, complaints } = await openPage(browser(), "#lessons", PHONE);
    page.setDefaultTimeout(PATIENCE_MS);
    for (const [i, { page: lesson }] of LESSONS.entries()) {
      await page.getByRole("heading", { level: 1, name: lesson.title }).waitFor();
      await DONE[lesson.id]?.(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), lesson.id).toBe(390);
      expect(await broken(page), lesson.id).toEqual([]);
      if (i < LESSONS.length - 1) await page.getByRole("button", { name: /^Next: / }).click();
    }
    expect(complaints).toEqual([]);
    // What was answered is in the link: a copy of the page shows it.
    await page.waitForFunction(() => location.hash.length > 200);
    const copy = await openPage(browser(), new URL(page.url()).hash, PHONE);
    await copy.page.getByText(/^Left: /).waitFor();
    await copy.page.close();
    await page.close();
  });
});
