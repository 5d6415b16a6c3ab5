/**
 * The page of the playground with a trace inside. The build puts the page beside the command; here a trace goes into it, and the
 * permission to load what lies beside the page, and to run programs that are typed, goes out of its policy: this one stands alone.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";
import { html } from "../report/html.ts";

/** The same from src and from dist. */
const PAGE = new URL("../../dist/pages/playground.html", import.meta.url);

/**
 * @param name - of the trace
 * @param bytes - of the trace, gzip
 * @returns one HTML page that works offline and carries the trace and the models
 * @throws UsageError where the page was not built
 */
export async function pageWithTrace(name: string, bytes: Uint8Array): Promise<string> {
  const page = await builtPage();
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  const element = html`<script type="text/plain" id="trace" data-name="${name}">${base64}</script>`.text;
  return page
    .replace(/(script-src 'sha256-[^']+') 'self' blob:/, "$1")
    .replace(/<title>.*?<\/title>/, () => html`<title>${name}</title>`.text)
    .replace("<!--trace-->", () => element);
}

async function builtPage(): Promise<string> {
  try {
    return await readFile(PAGE, "utf8");
  } catch {
    throw new UsageError(
      `the page is not built: \`npx -y pnpm@10.34.8 build\` in the folder of the project makes ${fileURLToPath(PAGE)}`,
    );
  }
}
