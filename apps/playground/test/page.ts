/** The built page in Chromium, as all tests of it open it. */

import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";

/** The page of the build; Vitest's setup makes it. */
export const PAGE: string = fileURLToPath(new URL("../dist/index.html", import.meta.url));

/** A tab, and what it complained of: an error, a warning, what the policy of the page refused. */
export interface Tab {
  readonly page: Page;
  readonly complaints: string[];
}

/**
 * Open the page from its file.
 *
 * @param browser - a browser
 * @param hash - of the address, with `#`
 * @param options - of the tab
 */
export async function openPage(
  browser: Browser,
  hash = "",
  options: Parameters<Browser["newPage"]>[0] = { viewport: { width: 1280, height: 900 } },
  path: string = PAGE,
): Promise<Tab> {
  const page = await browser.newPage(options);
  // A loaded machine is slow, and slow is no failure.
  page.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", ({ message }) => complaints.push(message));
  await page.goto(pathToFileURL(path).href + hash);
  return { page, complaints };
}

/** What becomes so in the end: a loaded machine is slow, and slow is no failure. */
export function soon<T>(read: () => T) {
  return expect.poll(read, { timeout: 60_000 });
}
