/**
 * How the page is built: everything into one file that opens from anywhere, a file share included. Beside it, under `traces`, lie the
 * recordings, each a script that hands its bytes to the page: a page that was opened as a file may not fetch, but it may run scripts.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const TRACES = new URL("../bench/traces/", import.meta.url);

/** Puts script and style into the page, and says in it that nothing else may run, load or send. */
function onePage(): Plugin {
  return {
    name: "one-page",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      let script = "";
      let style = "";
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === "chunk") script += file.code;
        else if (name.endsWith(".css")) style += String(file.source);
        else continue;
        delete bundle[name];
      }
      if (page?.type !== "asset") this.error("index.html was not built");
      const code = script.trim().replaceAll("</script", "<\\/script");
      const hash = createHash("sha256").update(code).digest("base64");
      const policy = [
        "default-src 'none'",
        // What lies beside the page: recordings, the editor. `vmbind explore` takes this out of its pages, which are alone.
        // A program that was typed is a script of a worker's own making (`blob:`): the page itself makes none.
        `script-src 'sha256-${hash}' 'self' blob:`,
        "worker-src blob:",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
      ].join("; ");
      page.source = String(page.source)
        .replace(/\s*<script type="module".*?<\/script>/s, "")
        .replace(/\s*<link rel="stylesheet".*?>/g, "")
        .replace(
          "<meta charset",
          () => `<meta http-equiv="Content-Security-Policy" content="${policy}">\n    <meta charset`,
        )
        .replace("</head>", () => `<style>${style.trim()}</style>\n</head>`)
        .replace("</body>", () => `<script>${code}</script>\n</body>`);
    },
  };
}

/** Writes each recording as a script, and their names as a module. */
function recordings(): Plugin {
  const names = readdirSync(TRACES)
    .filter((name) => name.endsWith(".jsonl.gz"))
    .map((name) => name.slice(0, -".jsonl.gz".length));
  const scriptOf = (name: string): string => {
    const bytes = readFileSync(new URL(`${name}.jsonl.gz`, TRACES)).toString("base64");
    return `vmbindTrace(${JSON.stringify(name)},"${bytes}");\n`;
  };
  return {
    name: "recordings",
    resolveId: (id) => (id === "virtual:recordings" ? id : null),
    load: (id) => (id === "virtual:recordings" ? `export default ${JSON.stringify(names)}` : null),
    configureServer(server) {
      server.middlewares.use("/traces", (request, response) => {
        response.setHeader("Content-Type", "text/javascript");
        response.end(scriptOf((request.url ?? "").replace(/^\/|\.js$/g, "")));
      });
    },
    generateBundle() {
      for (const name of names) {
        this.emitFile({ type: "asset", fileName: `traces/${name}.js`, source: scriptOf(name) });
      }
    },
  };
}

/**
 * Leaves out what checks a model between two ioctls: tests and the fuzzer ask for that, the page never does, and it would be a
 * twentieth of the first load. Who asks all the same is told.
 */
function withoutInvariants(): Plugin {
  return {
    name: "without-invariants",
    apply: "build",
    enforce: "pre",
    load(id) {
      if (!/[\\/]packages[\\/].*[\\/]check-invariants\.ts$/.test(id)) return null;
      const names = readFileSync(id, "utf8").matchAll(/^export (?:function|class|const) (\w+)/gm);
      const say = 'throw new Error("invariants are not checked in the page");';
      return Array.from(names, ([, name]) => `export function ${name}() { ${say} }`).join("\n");
    },
  };
}

export default defineConfig({
  base: "./",
  publicDir: false,
  resolve: { conditions: ["@vmbind/source"] },
  worker: { format: "iife", plugins: () => [withoutInvariants()] },
  plugins: [recordings(), onePage()],
  build: {
    target: "es2023",
    // The page is one file: its own size is told by the test, not by a warning.
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
    cssCodeSplit: false,
    modulePreload: false,
    rolldownOptions: { output: { format: "iife", comments: false } },
  },
});
