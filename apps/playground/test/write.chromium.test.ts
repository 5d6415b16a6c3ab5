/** The panes of programs and strategies by a person's way: choose, type, read the answers, break it, mend it, send the link. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { broken } from "./axe.ts";
import { openPage } from "./page.ts";

const PATIENCE = 180_000;

inChromium("programs in Chromium", (browser) => {
  const row = (page: Page, label: string) =>
    page.getByRole("row").filter({ has: page.getByRole("button", { name: label, exact: true }) });
  const editor = (page: Page) => page.getByRole("textbox", { name: "operations" });
  /** Answers that belong to what stands in the editor. */
  const settled = async (page: Page, label: string): Promise<void> => {
    await row(page, label).waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
  };
  const typed = async (page: Page, text: string): Promise<void> => {
    await editor(page).click();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    // Not key by key: brackets would be closed twice.
    await page.keyboard.insertText(text);
  };
  test(
    "what is typed is answered by one strategy of each driver, and the link shows it again",
    async () => {
      const { page, complaints } = await openPage(browser(), "#write");
      await page.locator(".cm-editor").waitFor();
      await typed(page, "const b = sparse(6 * MiB);\nwrite(b.at(0x1000), 5);\nread(b.at(0x1000));\n");
      await settled(page, "read(b + 0x1000)");
      expect(await page.locator("table.answers thead th").count()).toBe(2 + 6);
      const words = await row(page, "read(b + 0x1000)").locator("td.word").allTextContents();
      expect(new Set(words)).toEqual(new Set(["0", "0x5"]));
      await expect(row(page, "read(b + 0x1000)").getByText("differs").isVisible()).resolves.toBe(true);
      const before = await page.evaluate(() => location.hash);
      await row(page, "b = sparse(6 MiB)").getByRole("button").click();
      await page.getByRole("heading", { name: "b = sparse(6 MiB)" }).waitFor();
      expect(await page.locator(".card .call").count()).toBeGreaterThanOrEqual(6);

      await page.waitForFunction((old) => location.hash.length > 80 && location.hash !== old, before);
      const link = await page.evaluate(() => location.hash);
      const again = await openPage(browser(), link);
      await settled(again.page, "read(b + 0x1000)");
      expect(await row(again.page, "read(b + 0x1000)").locator("td.word").allTextContents()).toEqual(words);
      await again.page.getByRole("heading", { name: "b = sparse(6 MiB)" }).waitFor();
      expect([...complaints, ...again.complaints]).toEqual([]);
      await again.page.close();
      await page.close();
    },
    PATIENCE,
  );

  test(
    "what is wrong is marked at its line, and mended it is answered",
    async () => {
      const { page, complaints } = await openPage(browser(), "#write");
      await page.locator(".cm-editor").waitFor();
      await typed(page, "const b = sparse(MiB);\nread(b.at(0));\nread(c);\n");
      const problem = page.getByRole("alert").getByRole("button", { name: "operations.ts:3" });
      await problem.waitFor();
      expect(await page.getByRole("alert").textContent()).toContain("ReferenceError: c is not defined");
      expect(await page.locator(".cm-lintRange-error").textContent()).toBe("read(c);");
      await problem.click();
      await page.locator(".cm-editor.cm-focused").waitFor();
      await page.keyboard.press("End");
      await page.keyboard.type(" // gone");
      expect(await page.locator(".cm-line").nth(2).textContent()).toBe("read(c); // gone");

      await typed(page, "const a: = 5;");
      await page.getByText("Unexpected token").waitFor();
      await typed(
        page,
        "const r = range(MiB);\nunmap(r.at(0), 64 * KiB);\nmap(2 ** 63, 4096, memory(64 * KiB));",
      );
      await settled(page, "unmap(r, 64 KiB)");
      await page.getByText("EINVAL").first().waitFor();
      expect(await page.getByRole("alert").textContent()).toBe("");
      expect(complaints).toEqual([]);
      await page.close();
    },
    PATIENCE,
  );

  test(
    "a program that does not end can be stopped, and the next one is answered",
    async () => {
      const { page } = await openPage(browser(), "#write");
      await page.locator(".cm-editor").waitFor();
      await typed(page, "for (;;) KiB + 1;");
      await page.getByText("the program …").waitFor();
      await page.getByRole("button", { name: "Stop" }).click();
      await page.getByRole("alert").getByText("stopped").waitFor();
      await typed(page, "const b = sparse(MiB);");
      await settled(page, "b = sparse(1 MiB)");
      await page.close();
    },
    PATIENCE,
  );

  test(
    "a strategy module stands beside the strategies of the table",
    async () => {
      const { page, complaints } = await openPage(browser(), "#write");
      await page.locator(".cm-editor").waitFor();
      await typed(page, "const b = sparse(6 * MiB);");
      await page.getByRole("button", { name: "strategy.ts" }).click();
      await page.getByRole("button", { name: "read only zero" }).click();
      await page.locator("table.answers thead th.own").waitFor();
      expect(await page.locator("table.answers thead th").count()).toBe(2 + 7);
      await page.getByRole("button", { name: "Remove" }).click();
      await page.locator("table.answers thead th.own").waitFor({ state: "detached" });
      expect(complaints).toEqual([]);
      await page.close();
    },
    PATIENCE,
  );

  test(
    "completion knows the functions, the drivers and their operations",
    async () => {
      const { page } = await openPage(browser(), "#write");
      await page.locator(".cm-editor").waitFor();
      await settled(page, "read(buf)");
      await typed(page, "");
      const offered = page.locator(".cm-tooltip-autocomplete");
      await page.keyboard.type("unb");
      await offered.getByText("unbind").waitFor();
      await page.keyboard.press("Escape");
      await typed(page, 'vmBind("xe", [{ op: "" }]);');
      for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Control+Space");
      await offered.getByText("map-null").waitFor();
      await page.close();
    },
    PATIENCE,
  );

  test(
    "two strategies stand side by side, chosen from lists, and the link shows them again",
    async () => {
      const { page, complaints } = await openPage(browser(), "#strategies", {
        viewport: { width: 390, height: 844 },
      });
      const beside = page.getByLabel("beside");
      await beside.waitFor();
      await beside.selectOption({ index: 6 });
      const name = await beside.inputValue();
      await page.getByRole("columnheader", { name }).first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
      expect(await broken(page)).toEqual([]);
      await page.waitForFunction(() => location.hash.length > 30);
      const again = await openPage(browser(), await page.evaluate(() => location.hash));
      await again.page.getByRole("columnheader", { name }).first().waitFor();
      expect([...complaints, ...again.complaints]).toEqual([]);
      await again.page.close();
      await page.close();
    },
    PATIENCE,
  );

  test(
    "nothing for axe to find, light and dark, and 390 px hold it without sideways scrolling",
    async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        const { page } = await openPage(browser(), "#write", {
          viewport: { width: 390, height: 844 },
          colorScheme,
        });
        await settled(page, "read(buf)");
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
        expect(await broken(page)).toEqual([]);
        await page.close();
      }
    },
    PATIENCE,
  );
});
