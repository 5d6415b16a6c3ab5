/** A person's way through the pane of two traces. */

import { expect, test } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { broken } from "./axe.ts";
import { openPage, soon } from "./page.ts";

inChromium("two traces", (browser) => {
  test("of one application are the same by meaning, of two drivers differ, and a difference shows both ioctls", async () => {
    const { page, complaints } = await openPage(browser(), "#compare");
    const differences = page.getByRole("region", { name: "differences", exact: true });
    await page.getByLabel("A", { exact: true }).selectOption("panthor-sparse-image-window");
    await page.getByLabel("B", { exact: true }).selectOption("panthor-blackhole-image-window");
    await soon(() => differences.getByRole("heading").textContent()).toMatch(/^No difference/);
    await page.getByLabel("B", { exact: true }).selectOption("xe-image-window");
    await soon(() => differences.getByRole("heading").textContent()).toMatch(/^[\d,]+ differences/);
    const list = page.getByRole("listbox", { name: "differences of the traces" });
    await list.focus();
    await page.keyboard.press("Home");
    const first = list.locator("[data-row='0']");
    await soon(() => first.getAttribute("aria-selected")).toBe("true");
    const sides = await first.locator(".what").allTextContents();
    const seqs = sides.flatMap((text) => /^#(\d+) /.exec(text)?.[1] ?? []);
    expect(seqs.length).toBeGreaterThan(0);
    for (const seq of seqs) {
      await soon(async () => (await page.locator("article.told h2").allTextContents()).join()).toContain(
        `#${seq} `,
      );
    }
    expect(await broken(page)).toEqual([]);
    // An address leads to its address space, and Back comes back.
    await page.locator("article.told .address").first().click();
    await page.getByRole("heading", { name: /^0x[0-9a-f]+ behind/ }).waitFor();
    await page.goBack();
    await soon(() => differences.getByRole("heading").textContent()).toMatch(/differences/);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(complaints).toEqual([]);
    await page.close();
  }, 240_000);
});
