/**
 * Are the packages ready to publish? Packs each one as `pnpm publish` would, lets publint and attw look at the tarball,
 * installs it with nothing but its sister packages into an empty folder, by npm as its README says and by pnpm, and there does what a
 * user would: import every entry from JavaScript and from strict TypeScript, and run the README's example. The examples of the
 * other documents and of doc comments run in a folder that has all packages. The command is put into a folder with nothing but what it
 * says it depends on, and run from another one. Needs the builds; needs no network.
 *
 * An example is all ```ts blocks of a document, in order. What it prints must be what its comments say: the comment behind
 * a console.log, or the comment lines below it, up to a ": " where a remark begins.
 */

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { byName, closure, packages, program, readJson, root } from "./published.mjs";

const bin = (name) => join(root, "node_modules/.bin", name);
const run = promisify(execFile);

const SECTIONS = ["Install", "Models", "Does not model", "Example", "Where the facts come from", "Size"];
const SIZE_TOLERANCE = 0.1;

/** Two at a time: an install waits for the disk about as long as it computes. */
const PARALLEL = 2;

const findings = [];

/** Run a command; a failure is a finding with everything it said. */
async function command(what, file, args, cwd) {
  try {
    return (await run(file, args, { cwd })).stdout;
  } catch (error) {
    findings.push(`${what}:\n${`${error.stdout}${error.stderr}`.trim() || error.message}`);
    return null;
  }
}

/** What others wrote, as it is installed here; `test/dependencies.test.ts` says who may need it. */
const outsiders = new Map(
  packages.flatMap((pkg) =>
    pkg.needs
      .filter((name) => !byName.has(name))
      .map((name) => [
        name,
        { folder: name, dir: join(pkg.dir, "node_modules", name), name, needs: [], tarball: "" },
      ]),
  ),
);

// --- what is in the tarball

async function pack(pkg, into) {
  const out = await command(
    `pnpm pack ${pkg.name}`,
    "pnpm",
    ["pack", "--json", "--pack-destination", into],
    pkg.dir,
  );
  if (out === null) return;
  pkg.tarball = JSON.parse(out.slice(out.indexOf("{"))).filename;
  // pnpm's own list leaves out the workspace's LICENSE, which it adds.
  const listing = await run("tar", ["-tzf", pkg.tarball]);
  const paths = listing.stdout.split("\n").map((path) => path.replace("package/", ""));
  for (const wanted of ["README.md", "LICENSE", "CHANGELOG.md"]) {
    if (!paths.includes(wanted)) findings.push(`${pkg.name}: the tarball has no ${wanted}`);
  }
  for (const path of paths) {
    if (/tsbuildinfo|(^|\/)test\//.test(path)) findings.push(`${pkg.name}: the tarball has ${path}`);
    // Chunks of a bundle, which its script makes anew.
    if (path.startsWith("dist/quick/")) continue;
    const source = path.replace(/^dist\/(.*)\.(d\.ts|js)(\.map)?$/, "src/$1.ts");
    if (source !== path && !existsSync(join(pkg.dir, source))) {
      findings.push(`${pkg.name}: ${path} is left from a file that is gone; remove dist and build again`);
    }
  }
}

/** What every manifest says alike; the command loads pages and workers by their path, so its files have side effects. */
const ALIKE = ["type", "license", "engines", "publishConfig"];
/** Keywords that every library has. */
const KEYWORDS = ["drm", "vm_bind", "gpu", "linux", "page-table", "model"];
/** What only the owner of a public repository can say; `.pnpmfile.cjs` puts it into what is packed. */
const ADDRESSES = ["repository", "homepage", "bugs"];

function checkMetadata(pkg) {
  const first = packages[0].json;
  for (const member of ALIKE) {
    const [is, should] = [pkg.json[member], first[member]].map((value) => JSON.stringify(value));
    if (is !== should || is === undefined)
      findings.push(`${pkg.name}: package.json says ${member} ${is}, ${first.name} says ${should}`);
  }
  const { description = "", keywords = [] } = pkg.json;
  const missing = pkg === program ? [] : KEYWORDS.filter((word) => !keywords.includes(word));
  if (missing.length > 0) findings.push(`${pkg.name}: package.json has no keyword ${missing.join(", ")}`);
  if (new Set(keywords).size !== keywords.length || keywords.length < 8)
    findings.push(`${pkg.name}: package.json needs eight or more keywords, each once`);
  if (description === "" || description.endsWith("."))
    findings.push(`${pkg.name}: package.json needs a description without a full stop`);
  for (const member of ADDRESSES) {
    if (member in pkg.json) findings.push(`${pkg.name}: ${member} is said once, in the root's package.json`);
  }
}

/** A changeset of a package that there is not stops the next release. */
function checkChangesets() {
  const folder = join(root, ".changeset");
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".md"))) {
    const head = readFileSync(join(folder, file), "utf8").split("---")[1] ?? "";
    for (const [, name] of head.matchAll(/^"([^"]+)":/gm))
      if (!byName.has(name)) findings.push(`.changeset/${file}: there is no package ${name}`);
  }
}

/** As packed it has the addresses that the root's manifest has, and no others. */
async function checkAddresses(pkg) {
  const { stdout } = await run("tar", ["-xzOf", pkg.tarball, "package/package.json"]);
  const packed = JSON.parse(stdout);
  const said = readJson(join(root, "package.json"));
  for (const member of ADDRESSES) {
    if (member in said !== member in packed)
      findings.push(`${pkg.name}: its tarball ${member in packed ? "has a" : "has no"} ${member}`);
  }
}

/** The shims of live programs are named when it is packed, in its own version (`.pnpmfile.cjs`). */
async function checkShims(pkg) {
  const { stdout } = await run("tar", ["-xzOf", pkg.tarball, "package/package.json"]);
  const { version, optionalDependencies = {} } = JSON.parse(stdout);
  for (const cpu of ["x64", "arm64"]) {
    const name = `@vmbind/shim-linux-${cpu}`;
    if (optionalDependencies[name] !== version)
      findings.push(`${pkg.name}: its tarball does not name ${name} ${version} as an optional dependency`);
  }
}

/** As it is installed: there is no network to fetch it from. */
async function packOutsider(pkg, into) {
  const args = ["pack", pkg.dir, "--json", "--ignore-scripts", "--pack-destination", into];
  const out = await command(`npm pack ${pkg.name}`, "npm", args, into);
  if (out !== null) pkg.tarball = join(into, JSON.parse(out)[0].filename);
}

async function lint(pkg) {
  const tarball = new Uint8Array(readFileSync(pkg.tarball)).buffer;
  const { messages, pkg: json } = await publint({ pack: { tarball }, strict: true });
  for (const message of messages)
    findings.push(`${pkg.name}: publint: ${formatMessage(message, json, { color: false })}`);
  await command(`${pkg.name}: attw`, bin("attw"), [pkg.tarball, "--profile", "esm-only", "--no-color"], root);
  if (pkg !== program && pkg.json.sideEffects !== false)
    findings.push(`${pkg.name}: sideEffects is not false`);
}

/** Bytes of the JavaScript that importing `.` loads, without other packages: as built, and gzipped. */
function size(pkg) {
  const files = new Set([join(pkg.dir, "dist/index.js")]);
  let text = "";
  for (const file of files) {
    const source = readFileSync(file, "utf8");
    text += source;
    for (const [, to] of source.matchAll(/^(?:import|export)[^;]*? from "(\.[^"]+)";/gm))
      files.add(join(dirname(file), to));
  }
  return { files: files.size, bytes: Buffer.byteLength(text), gzip: gzipSync(text).length };
}

function checkChangelog(pkg) {
  if (!readFileSync(join(pkg.dir, "CHANGELOG.md"), "utf8").includes(`\n## ${pkg.json.version}\n`)) {
    findings.push(`${pkg.name}: CHANGELOG.md has nothing about ${pkg.json.version}`);
  }
}

function checkTexts(pkg) {
  checkChangelog(pkg);
  const text = readFileSync(join(pkg.dir, "README.md"), "utf8");
  for (const section of SECTIONS) {
    if (!text.includes(`\n## ${section}\n`))
      findings.push(`${pkg.name}: README.md has no section "${section}"`);
  }
  if (!text.includes(`\nnpx -y pnpm@10.34.8 tarballs ${pkg.folder} ~/packed `))
    findings.push(`${pkg.name}: README.md must say how it is packed: "pnpm tarballs ${pkg.folder} ~/packed"`);
  const entries = Object.keys(pkg.json.exports).filter((entry) => entry !== "./package.json");
  for (const entry of entries.length > 1 ? entries : []) {
    const shown = `| \`${pkg.name}${entry.slice(1)}\` |`;
    if (!text.includes(shown))
      findings.push(`${pkg.name}: README.md does not say what ${entry} is: ${shown}`);
  }
  const stated = /(\d+) kB of JavaScript, (\d+) kB gzipped/.exec(text);
  const { bytes, gzip } = size(pkg);
  const off = (kb, real) => Math.abs(Number(kb) * 1000 - real) > SIZE_TOLERANCE * real;
  if (!stated || off(stated[1], bytes) || off(stated[2], gzip)) {
    const right = `${Math.round(bytes / 1000)} kB of JavaScript, ${Math.round(gzip / 1000)} kB gzipped`;
    findings.push(`${pkg.name}: README.md must say "${right}"${stated ? `, and says "${stated[0]}"` : ""}`);
  }
}

// --- what a user does with it

/** The code of a document's ```ts blocks, and the lines that it promises to print. */
function example(path) {
  const text = readFileSync(path, "utf8").replace(path.endsWith(".ts") ? /^ \* ?/gm : "", "");
  const code = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]).join("\n");
  const promised = [];
  let printing = false;
  for (const line of code.split("\n")) {
    const [, before, comment] = /^(.*?)(?:\/\/ (.*))?$/.exec(line);
    if (before.includes("console.log")) printing = true;
    else if (!/^[\s})]*$/.test(before)) printing = false;
    if (printing && comment !== undefined) promised.push(comment);
  }
  const shown = path.slice(root.length + 1);
  return { path: shown, file: shown.replace(/\.\w+$/, "").replaceAll("/", "_"), code, promised };
}

function compare(who, { path, promised }, printed) {
  const lines = printed.split("\n").slice(0, -1);
  if (promised.length === 0) findings.push(`${path}: the example promises no output`);
  for (let i = 0; i < Math.max(lines.length, promised.length); i++) {
    const [got, want] = [lines[i], promised[i]];
    if (got !== want && !(got !== undefined && want?.startsWith(`${got}: `))) {
      findings.push(
        `${path} under ${who}: line ${i + 1} is ${JSON.stringify(got)}, promised is ${JSON.stringify(want)}`,
      );
    }
  }
}

const TSCONFIG = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023", "dom"], // dom: only for console
    types: [],
    module: "nodenext",
    strict: true,
    skipLibCheck: false,
    outDir: "out",
    rootDir: ".",
  },
  include: ["*.ts"],
};

/** Install packages into an empty folder, import each entry of `subjects`, and run examples. */
async function consume(where, manager, installed, subjects, examples) {
  const who = `${manager} (${installed.map((pkg) => pkg.folder).join(", ")})`;
  const dir = join(where, `${manager}-${subjects.map((pkg) => pkg.folder).join("-")}`);
  await mkdir(dir);
  const tarballs = Object.fromEntries(installed.map((pkg) => [pkg.name, `file:${pkg.tarball}`]));
  // npm is given the files as the READMEs say it, pnpm a manifest that names them.
  const named = { dependencies: tarballs, pnpm: { overrides: tarballs } };
  const manifest = { private: true, type: "module", ...(manager === "pnpm" && named) };

  const entries = subjects.flatMap((pkg) =>
    Object.keys(pkg.json.exports)
      .filter((entry) => !entry.endsWith(".json"))
      .map((entry) => pkg.name + entry.slice(1)),
  );
  const imports = entries.map((entry, i) => `import * as entry${i} from "${entry}";\n`).join("");
  const names = entries.map((_, i) => `entry${i}`).join(", ");
  const deep = subjects.map((pkg) => `${pkg.name}/dist/index.js`);
  const files = {
    "package.json": JSON.stringify(manifest),
    "tsconfig.json": JSON.stringify(TSCONFIG),
    "entries.ts": `${imports}export const entries: object[] = [${names}];\n`,
    "entries.mjs": `${imports}for (const entry of [${names}]) if (Object.keys(entry).length === 0) throw new Error("empty entry");
for (const path of ${JSON.stringify(deep)}) {
  await import(path).then(() => { throw new Error(path + " can be imported"); }, (error) => {
    if (error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
  });
}\n`,
  };
  for (const { file, code } of examples) files[`${file}.ts`] = code;
  for (const [file, text] of Object.entries(files)) await writeFile(join(dir, file), text);

  const given = manager === "npm" ? ["--no-audit", "--no-fund", ...installed.map((pkg) => pkg.tarball)] : [];
  if (
    (await command(
      `${who}: install`,
      manager,
      ["install", "--offline", "--ignore-scripts", ...given],
      dir,
    )) === null
  )
    return;
  await command(`${who}: JavaScript imports`, process.execPath, ["entries.mjs"], dir);
  if ((await command(`${who}: tsc`, bin("tsc"), ["-p", "."], dir)) === null) return;
  for (const shown of examples) {
    const printed = await command(
      `${shown.path} under ${who}`,
      process.execPath,
      [`out/${shown.file}.js`],
      dir,
    );
    if (printed !== null) compare(who, shown, printed);
  }
}

/** Run the command as an installed one, from a folder of the user's, with a path that is relative to it. */
async function tryProgram(where) {
  const home = join(where, "program");
  const elsewhere = join(where, "elsewhere");
  const modules = join(home, "node_modules");
  for (const { name, tarball } of [...packages, program]) {
    await mkdir(join(modules, name), { recursive: true });
    await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", join(modules, name)]);
  }
  for (const name of Object.keys(program.json.dependencies).filter((other) => !byName.has(other))) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(await realpath(join(program.dir, "node_modules", name)), join(modules, name));
  }
  await mkdir(elsewhere);
  const trace = "xe-image-3d.jsonl.gz";
  await copyFile(join(modules, program.name, "traces", trace), join(elsewhere, trace));
  const script = join(modules, program.name, program.json.bin.vmbind);
  const own = join("..", "program", "node_modules", program.name, "examples", "repeat-tail.ts");
  const vmbind = (...args) =>
    command(`vmbind ${args.join(" ")}`, process.execPath, [script, ...args], elsewhere);
  const expected = [
    [["--version"], (out) => out === `${program.json.version}\n`],
    [["replay", "--json", trace], (out) => JSON.parse(out).differenceCount === 0],
    [["traces", "--json"], (out) => JSON.parse(out).length > 50],
    [["compare", "--size", "64KiB", "--json", "--no-cache"], (out) => JSON.parse(out).lab !== undefined],
    [["lower", "unbound", "--size", "5MiB", "--strategy", own], (out) => out.includes("MAP REPEAT")],
    [
      ["explore", trace],
      (out) =>
        readFileSync(join(elsewhere, out.trim()), "utf8").includes('id="trace" data-name="xe-image-3d"'),
    ],
    [["completion", "zsh"], (out) => out.startsWith("#compdef vmbind\n")],
  ];
  for (const [args, right] of expected) {
    const out = await vmbind(...args);
    if (out !== null && !right(out)) findings.push(`vmbind ${args.join(" ")} printed ${out.slice(0, 200)}`);
  }
  const entries = `import { bundledTraces, sparseStrategy } from "${program.name}";
if (bundledTraces().length === 0 || sparseStrategy("xe-null").name !== "xe-null") throw new Error("not the laboratory");\n`;
  await writeFile(join(home, "entries.mjs"), entries);
  await command(`${program.name}: JavaScript imports`, process.execPath, ["entries.mjs"], home);
}

/** Markdown of the project, and modules whose doc comments have an example. */
function otherExamples() {
  const markdown = [
    "README.md",
    "CONTRIBUTING.md",
    ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
  ];
  const modules = packages.flatMap((pkg) =>
    readdirSync(join(pkg.dir, "src"), { recursive: true }).map((name) =>
      join("packages", pkg.folder, "src", name),
    ),
  );
  return [
    ...markdown.filter((name) => name.endsWith(".md")),
    ...modules.filter((name) => name.endsWith(".ts")),
  ]
    .map((path) => example(join(root, path)))
    .filter(({ code }) => code !== "");
}

async function inParallel(tasks) {
  const queue = tasks.values();
  const worker = async () => {
    for (const task of queue) await task();
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

const temporary = await mkdtemp(join(tmpdir(), "vmbind-packages-"));
try {
  await inParallel([
    ...[...packages, program].map((pkg) => () => pack(pkg, temporary)),
    ...[...outsiders.values()].map((pkg) => () => packOutsider(pkg, temporary)),
  ]);
  const packed = [...packages, program].filter((pkg) => pkg.tarball !== "");
  if (packed.length === packages.length + 1) {
    packages.forEach(checkTexts);
    checkChangelog(program);
    checkChangesets();
    [...packages, program].forEach(checkMetadata);
    await inParallel([
      () => tryProgram(temporary),
      ...[...packages, program].map((pkg) => () => lint(pkg)),
      () => checkShims(byName.get("@vmbind/live")),
      ...[...packages, program].map((pkg) => () => checkAddresses(pkg)),
      ...packages.flatMap((pkg) =>
        ["npm", "pnpm"].map((manager) => () => {
          const readme = example(join(pkg.dir, "README.md"));
          // An example may use more than its package needs.
          const shown = [...readme.code.matchAll(/ from "(@vmbind\/[\w-]+)/g)].map(
            ([, name]) => byName.get(name) ?? pkg,
          );
          const installed = new Set([pkg, ...shown].flatMap((needed) => closure(needed, outsiders)));
          return consume(temporary, manager, [...installed], [pkg], [readme]);
        }),
      ),
      () => consume(temporary, "npm", [...packages, ...outsiders.values()], packages, otherExamples()),
    ]);
    console.log('package              files     bytes   gzipped  (JavaScript behind ".", not minified)');
    for (const pkg of packages) {
      const { files, bytes, gzip } = size(pkg);
      console.log(
        `${pkg.name.padEnd(20)} ${String(files).padStart(5)} ${String(bytes).padStart(9)} ${String(gzip).padStart(9)}`,
      );
    }
  }
} finally {
  await rm(temporary, { recursive: true });
}
for (const finding of findings) console.error(`\n${finding.trimEnd()}`);
console.log(findings.length === 0 ? "packages: all good" : `\npackages: ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
