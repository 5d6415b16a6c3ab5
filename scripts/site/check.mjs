/**
 * What holds for every page of the site, whoever wrote it: links lead somewhere and work from a folder, a page has one heading, and
 * nothing is wider than a phone. The last needs a Chromium and is left out without one.
 */

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const PHONE_PX = 390;
/** Pages of one folder look alike: this many of each are opened. */
const PAGES_OF_A_FOLDER = 3;
const CHROMIUMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Every complaint about the site in a folder, one line each. */
export async function checkSite(site) {
  const pages = pagesIn(site);
  return [...pages.flatMap((page) => checkPage(site, page)), ...(await checkWidths(site, pages))];
}

function pagesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith(".html"))
    .map((path) => join(folder, path))
    .sort();
}

/** Ids of pages that links have led to. */
const ids = new Map();

function idsOf(path) {
  const known = ids.get(path);
  if (known) return known;
  const found = new Set(
    [...readFileSync(path, "utf8").matchAll(/\sid="([^"]*)"/g)].map(([, id]) => unescaped(id)),
  );
  ids.set(path, found);
  return found;
}

function checkPage(site, page) {
  const name = relative(site, page);
  const html = readFileSync(page, "utf8").replaceAll(
    /<script(?![^>]*\ssrc=)[^>]*>[\s\S]*?<\/script>|<!--[\s\S]*?-->/g,
    "",
  );
  const complaints = [];
  const headings = [...html.matchAll(/<h1[\s>]/g)].length;
  // The playground makes its page as it runs.
  if (headings !== 1 && !name.startsWith("playground"))
    complaints.push(`${name}: ${headings} headings of the first level`);
  for (const [, tag, rest] of html.matchAll(/<(a|link|script|img)\s([^>]*)>/g)) {
    const target = /(?:^|\s)(?:href|src)="([^"]*)"/.exec(rest)?.[1];
    if (target === undefined || /^(data|mailto):/.test(target)) continue;
    if (/^[a-z]+:/i.test(target)) {
      if (tag !== "a") complaints.push(`${name}: loads ${target}`);
      continue;
    }
    const problem = linkProblem(page, unescaped(target));
    if (problem) complaints.push(`${name}: ${target} ${problem}`);
  }
  return complaints;
}

function linkProblem(page, target) {
  if (target.startsWith("/")) return "is not relative";
  const [path, id] = target.split("#");
  const file = path === "" ? page : join(dirname(page), decodeURIComponent(path.split("?")[0]));
  if (!existsSync(file)) return "leads nowhere";
  if (!statSync(file).isFile()) return "is a folder, which a file share does not open";
  if (!id || !file.endsWith(".html")) return null;
  // The panes of the playground are no elements of its file.
  if (file.includes("playground")) return null;
  return idsOf(file).has(decodeURIComponent(id)) ? null : "has no such place in its page";
}

function unescaped(text) {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

async function checkWidths(site, pages) {
  const executablePath = [process.env.CHROMIUM_PATH, ...CHROMIUMS].find((path) => path && existsSync(path));
  if (executablePath === undefined) {
    console.error(
      "No Chromium (CHROMIUM_PATH, or Debian's package chromium): the widths of pages are not checked.",
    );
    return [];
  }
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const tab = await browser.newPage({ viewport: { width: PHONE_PX, height: 800 } });
    const complaints = [];
    for (const page of sample(site, pages)) {
      await tab.goto(pathToFileURL(page).href, { timeout: 120_000 });
      const width = await tab.evaluate(() => document.documentElement.scrollWidth);
      if (width > PHONE_PX)
        complaints.push(`${relative(site, page)}: ${width} px wide where a phone has ${PHONE_PX}`);
    }
    return complaints;
  } finally {
    await browser.close();
  }
}

/** Some of each folder, evenly; all of those that people come to first. */
function sample(site, pages) {
  const folders = new Map();
  for (const page of pages) {
    const folder = dirname(relative(site, page));
    folders.set(folder, [...(folders.get(folder) ?? []), page]);
  }
  return [...folders.entries()].flatMap(([folder, inside]) => {
    if (/documents|modules|^\.$/.test(folder)) return inside;
    if (folder.includes("source") && !folder.endsWith("src")) return [];
    const step = Math.max(Math.floor(inside.length / PAGES_OF_A_FOLDER), 1);
    return inside.filter((_, i) => i % step === 0);
  });
}
