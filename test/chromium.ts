import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where a Chromium is; null without one. CHROMIUM_PATH comes first. */
export const chromiumPath: string | null =
  [process.env["CHROMIUM_PATH"], ...CANDIDATES].find((path) => path !== undefined && existsSync(path)) ??
  null;

if (!chromiumPath) {
  console.warn("No Chromium (CHROMIUM_PATH, or Debian's package chromium): browser tests are skipped.");
}

/** A headless browser with a fresh profile. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath as string,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A loaded machine is slow, and slow is no failure. */
const START_MS = 180_000;

/** Tests that share one browser, which is asked for when a test runs; none where there is no Chromium. */
export function inChromium(name: string, tests: (browser: () => Browser) => void): void {
  describe.skipIf(!chromiumPath)(name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await startBrowser();
    }, START_MS);
    afterAll(async () => {
      await browser?.close();
    });
    tests(() => browser);
  });
}
