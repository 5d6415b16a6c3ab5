import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

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
