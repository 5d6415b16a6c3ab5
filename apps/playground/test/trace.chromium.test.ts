/** A person's way through the trace pane: pick, drop, find, zoom, look at an address, share the link, reload. */

import { gzipSync } from "node:zlib";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { inChromium } from "../../../test/chromium.ts";
import { textOf } from "../../../test/recordings.ts";
import { broken } from "./axe.ts";
import { openPage, soon } from "./page.ts";

async function opened(page: Page, name: string): Promise<void> {
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByRole("slider", { name: /^address space/ }).waitFor();
}

async function pick(page: Page, name: string): Promise<void> {
  await page.getByLabel("Recording").selectOption(name);
  await opened(page, name);
}

/** Where the ioctl that is told stands: `#12 NAME`. */
function toldCall(page: Page): Locator {
  return page.locator("article.told h2");
}

async function clickAt(box: Locator, share: number): Promise<void> {
  await box.scrollIntoViewIfNeeded();
  const { width, height } = (await box.boundingBox()) ?? { width: 0, height: 0 };
  await box.click({ position: { x: width * share, y: height / 2 } });
}

/** Drop a file onto the page, as a file manager does. */
async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.evaluate(
    ([name, text]) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name));
      for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    [name, Buffer.from(bytes).toString("base64")] as const,
  );
}

inChromium("the trace pane", (browser) => {
  test("a recording is picked, an ioctl chosen, an address looked at; the link says all of it", async () => {
    const { page, complaints } = await openPage(browser());
    await pick(page, "panthor-sparse-image-window");
    await page.getByRole("listbox", { name: "ioctls" }).focus();
    await page.keyboard.press("Home");
    await soon(() => toldCall(page).textContent()).toMatch(/^#0 /);
    await page.keyboard.press("End");
    await soon(() => toldCall(page).textContent()).toMatch(/^#137 /);
    const line = page.getByRole("slider", { name: "time line" });
    await clickAt(line, 0.5);
    await soon(() => toldCall(page).textContent()).not.toMatch(/^#137 /);
    await line.focus();
    const before = Number(await line.getAttribute("aria-valuenow"));
    await page.keyboard.press("ArrowRight");
    await soon(() => line.getAttribute("aria-valuenow")).toBe(String(before + 1));
    await soon(() => toldCall(page).textContent()).toBe(`#${before + 1} PANTHOR_VM_BIND`);
    expect(await page.locator(".told .line.step").count()).toBeGreaterThan(3);

    // From all of the address space down to a page, by keys; then the page in the middle.
    const space = page.getByRole("slider", { name: /^address space/ });
    const shown = page.getByLabel("part that is shown");
    await page.getByRole("button", { name: /^All 2/ }).click();
    await soon(() => shown.textContent()).toContain("256 TiB");
    await page.getByRole("button", { name: "This ioctl" }).click();
    await space.focus();
    for (let i = 0; i < 40; i++) await page.keyboard.press("+");
    await soon(() => shown.textContent()).toContain("4 KiB");
    await page.keyboard.press("Enter");
    const look = page.getByRole("region", { name: "an address" });
    await look.getByRole("heading", { name: /^0x7ff/ }).waitFor();
    await look.getByRole("heading", { name: /^The walk/ }).waitFor();
    expect(await look.locator(".fields").last().textContent()).toContain("output address");
    expect(await look.locator(".history li").count()).toBeGreaterThan(0);
    await soon(() => page.url()).toMatch(/#trace\/[\w-]{50,}$/);

    // The link alone brings somebody else to the same place.
    const said = async (tab: Page): Promise<(string | null)[]> => [
      await toldCall(tab).textContent(),
      await tab.getByLabel("part that is shown").textContent(),
      await tab.getByRole("region", { name: "an address" }).locator(".now h3").textContent(),
    ];
    await page.waitForTimeout(400);
    const wanted = await said(page);
    const other = await openPage(browser(), new URL(page.url()).hash);
    await opened(other.page, "panthor-sparse-image-window");
    await other.page.locator(".now h3").waitFor();
    expect(await said(other.page)).toEqual(wanted);
    await other.page.close();
    await page.reload();
    await page.locator(".now h3").waitFor();
    await toldCall(page).waitFor();
    expect(await said(page)).toEqual(wanted);
    expect(await broken(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  }, 240_000);

  test("a trace that is dropped shows what was refused first, and what follows folded", async () => {
    const { page, complaints } = await openPage(browser(), "", { colorScheme: "dark" });
    expect(await broken(page)).toEqual([]);
    // A VM_BIND of a recording, with an address that is no multiple of a page; the recording has it succeed.
    const lines = textOf("panthor-sparse-image-window").trimEnd().split("\n");
    let bent = 0;
    const text = lines
      .map((line) => {
        const record = JSON.parse(line);
        const ops = record.ptrs?.find(({ field }: { field: string }) => field === "ops");
        if (record.ioctl !== "PANTHOR_VM_BIND" || ops === undefined || bent === 2) return line;
        bent++;
        // struct drm_panthor_vm_bind_op: va is the fourth member, at byte 16.
        ops.data = `${ops.data.slice(0, 32)}01${ops.data.slice(34)}`;
        return JSON.stringify(record);
      })
      .join("\n");
    expect(bent).toBe(2);
    await drop(page, "bent.jsonl.gz", gzipSync(`${text}\n`));
    await opened(page, "bent");
    const problems = page.getByRole("region", { name: "what went wrong" });
    expect(await problems.textContent()).toContain("EINVAL");
    expect(await problems.textContent()).toMatch(/ops\[0\]\.va/);
    const first = await problems.locator(".causes button.address").first().textContent();
    await soon(() => toldCall(page).textContent()).toBe(`${first} PANTHOR_VM_BIND`);
    await soon(() => page.locator(".told .reason").textContent()).toMatch(/va/);
    const follows = problems.locator(".causes > li details").first();
    expect(await follows.getAttribute("open")).toBe(null);
    expect(await follows.locator("summary").textContent()).toMatch(/follows? from it/);

    // Found by errno, by object, by name, by address.
    const find = page.getByLabel("Find");
    const found = page.getByLabel("found", { exact: true });
    await find.fill("EINVAL");
    await soon(() => found.textContent()).toMatch(/^\d+ ioctls$/);
    await find.fill("GEM_CLOSE");
    await soon(() => found.textContent()).toMatch(/^[2-9] ioctls$/);
    await find.press("Enter");
    await soon(() => toldCall(page).textContent()).toContain("GEM_CLOSE");
    await find.fill("BO 6");
    await soon(async () => Number((await found.textContent())?.split(" ")[0])).toBeGreaterThan(10);
    await find.fill("0x7fffe2000000");
    await soon(() => found.textContent()).toMatch(/^[1-9]\d* ioctls?$/);
    await page.getByRole("heading", { name: /^0x7fffe2000000 behind/ }).waitFor();
    expect(await broken(page)).toEqual([]);
    expect(complaints).toEqual([]);

    // What is no trace says why, and the page goes on.
    await drop(page, "notes.jsonl", new TextEncoder().encode("{}\n"));
    await soon(() => page.getByRole("alert").textContent()).toMatch(/format/);
    await page.close();
  }, 240_000);

  test("an address space of 57 bits, on a telephone", async () => {
    const { page, complaints } = await openPage(browser(), "", { viewport: { width: 390, height: 844 } });
    const wide = textOf("xe-igt-null-once").replace('"va_bits":48', '"va_bits":57');
    await drop(page, "wide.jsonl", new TextEncoder().encode(wide));
    await opened(page, "wide");
    await page.getByRole("button", { name: "All 2^57" }).click();
    await soon(() => page.getByLabel("part that is shown").textContent()).toContain("128 PiB");
    const space = page.getByRole("slider", { name: /^address space/ });
    await space.focus();
    for (let i = 0; i < 48; i++) await page.keyboard.press("+");
    await soon(() => page.getByLabel("part that is shown").textContent()).toContain("4 KiB");
    await page.getByLabel("Address", { exact: true }).fill("0x1ff_ffff_ffff_f000");
    await page.getByRole("button", { name: "Look" }).click();
    await page.getByRole("heading", { name: /^0x1fffffffffff000 behind/ }).waitFor();
    expect(await page.locator(".walk li").first().textContent()).toContain("level 4");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await broken(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  }, 240_000);

  test("a hundred thousand operations scroll and zoom, each line as it comes into view", async () => {
    const { page, complaints } = await openPage(browser());
    await pick(page, "msm-image-array-mips");
    expect(await page.locator(".facts").textContent()).toContain("103,374 operations");
    await page.getByLabel("Find").fill("#31");
    await page.getByLabel("Find").press("Enter");
    const list = page.getByRole("region", { name: "operations and steps" });
    await soon(() => toldCall(page).textContent()).toMatch(/^#31 /);
    await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await soon(() => list.locator(".row").last().textContent()).toMatch(/0x/);
    // What is in the document is what is in view.
    expect(await list.locator(".row").count()).toBeLessThan(60);
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(3000);
    expect(complaints).toEqual([]);
    await page.close();
  }, 240_000);
});
