/**
 * Goal: the laboratory runs in a browser, in a worker, and finds there what it finds in Node.
 * Method: vite bundles a page from `lab`, `trace` and all drivers, where an import of a Node module is an error; Chromium
 * opens it; what it shows is compared byte for byte. Behind a MessageChannel the same engine runs in Node.
 */

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MessageChannel } from "node:worker_threads";
import { compare, LocalEngine, PortEngine, serveEngine } from "@vmbind/lab";
import type { Browser } from "playwright-core";
import { build, type Plugin } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startBrowser } from "../../../test/chromium.ts";
import { RECORDINGS } from "../../../test/recordings.ts";
import { library } from "./traces.ts";

const WORKLOAD = "buffer-100e6";
const PAGE = fileURLToPath(new URL("browser/", import.meta.url));
const ORIGIN = "http://lab.test";

/** A browser has no Node modules: what a bundler would replace by nothing is an error here. */
const noNode: Plugin = {
  name: "no-node",
  enforce: "pre",
  resolveId(source, importer) {
    if (source.startsWith("node:")) throw new Error(`${importer} imports ${source}`);
  },
};

/** The bundled page: text by path. */
async function bundle(root: string): Promise<Map<string, string>> {
  const output = await build({
    root,
    configFile: false,
    logLevel: "error",
    plugins: [noNode],
    resolve: { conditions: ["@vmbind/source"] },
    worker: { format: "es", plugins: () => [noNode] },
    build: { write: false, target: "es2023", minify: false, modulePreload: false },
  });
  const files = new Map<string, string>();
  for (const { output: parts } of [output].flat() as { output: { fileName: string; type: string }[] }[]) {
    for (const part of parts) {
      const { code, source } = part as { code?: string; source?: string | Uint8Array };
      files.set(`/${part.fileName}`, code ?? Buffer.from(source ?? "").toString("utf8"));
    }
  }
  return files;
}

describe("compare", () => {
  let here: string;
  let files: Map<string, string>;
  let browser: Browser | undefined;

  beforeAll(async () => {
    here = JSON.stringify(await compare(new LocalEngine(library), { workloads: [WORKLOAD] }));
    files = await bundle(PAGE);
    if (chromiumPath) browser = await startBrowser();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
  });

  it("behind messages finds what it finds in this thread", { timeout: 120_000 }, async () => {
    const { port1, port2 } = new MessageChannel();
    serveEngine(port2 as unknown as MessagePort, library);
    const engine = new PortEngine(port1 as unknown as MessagePort);
    port1.start();
    port2.start();
    try {
      expect(JSON.stringify(await compare(engine, { workloads: [WORKLOAD] }))).toBe(here);
      await expect(engine.run("accounting", { strategy: { name: "hope", kernel: "ideal" } })).rejects.toThrow(
        /no strategy "hope"/,
      );
    } finally {
      port1.close();
    }
  });

  it("can be bundled: every driver in pieces of its own, and no module of Node", () => {
    const code = [...files].filter(([path]) => path.endsWith(".js"));
    expect(code.length).toBeGreaterThan(5);
    for (const [, text] of code) expect(text).not.toMatch(/from\s*"node:|__vite-browser-external/);
  });

  it.skipIf(!chromiumPath)("in a worker in Chromium finds the same", { timeout: 300_000 }, async () => {
    const page = await (browser as Browser).newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.route(`${ORIGIN}/**`, (route) => {
      const { pathname } = new URL(route.request().url());
      const trace = /^\/traces\/([\w-]+\.jsonl\.gz)$/.exec(pathname)?.[1];
      if (trace !== undefined && existsSync(new URL(trace, RECORDINGS))) {
        return route.fulfill({
          body: readFileSync(new URL(trace, RECORDINGS)),
          contentType: "application/gzip",
        });
      }
      const text = files.get(pathname === "/" ? "/index.html" : pathname);
      if (text === undefined) return route.fulfill({ status: 404 });
      const contentType = pathname.endsWith(".js") ? "text/javascript" : "text/html";
      return route.fulfill({ body: text, contentType });
    });
    await page.goto(`${ORIGIN}/?workload=${WORKLOAD}`);
    await page.waitForFunction(() => document.getElementById("done")?.textContent !== "", undefined, {
      timeout: 240_000,
    });
    expect(complaints).toEqual([]);
    expect(await page.locator("#done").textContent()).toBe("done");
    expect(await page.locator("#result").textContent()).toBe(here);
  });
});
