/** The outside world fails: the disk is full, a pipe closes, a signal comes. What was there stays, and nothing half is left. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { tempFolder } from "../../../test/temp.ts";
import { failureOf, OutOfMemory, ReaderGone } from "../src/errors.ts";
import { writeAll } from "../src/output/stream.ts";
import { checkOutput, makeFile, saveFile } from "../src/output/whole-file.ts";
import { vmbind } from "./run.ts";

/** What the file system refuses, by name of the operation; undefined for nothing. */
const refuse = vi.hoisted(() => ({ operation: "", code: "", written: 0 }));

function refusal(operation: string): void {
  if (refuse.operation !== operation) return;
  throw Object.assign(new Error(`${refuse.code}: injected`), { code: refuse.code });
}

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    access: async (...args: Parameters<typeof real.access>) => {
      refusal("access");
      return real.access(...args);
    },
    rename: async (...args: Parameters<typeof real.rename>) => {
      refusal("rename");
      return real.rename(...args);
    },
    open: async (...args: Parameters<typeof real.open>) => {
      refusal("open");
      const file = await real.open(...args);
      for (const name of ["chmod", "sync", "close", "writeFile"] as const) {
        const operation = file[name].bind(file) as (...rest: unknown[]) => Promise<void>;
        Object.assign(file, {
          [name]: async (...rest: unknown[]) => {
            // A disk that fills up takes a part first.
            if (name === "writeFile" && refuse.operation === name) await file.write("half of it");
            if (name === "close" && refuse.operation === name) await operation();
            refusal(name);
            return operation(...rest);
          },
        });
      }
      return file;
    },
  };
});

vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  return {
    ...real,
    writeSync: (fd: number, bytes: Uint8Array, from: number) => {
      if (fd !== 1 || refuse.operation === "") return real.writeSync(fd, bytes, from);
      if (refuse.code !== "EAGAIN" && refuse.code !== "EINTR") refusal("stdout");
      // In pieces, with a refusal before the first.
      if (refuse.written === 0 && refuse.operation === "stdout") {
        refuse.operation = "stdout again";
        throw Object.assign(new Error(refuse.code), { code: refuse.code });
      }
      const length = Math.min(3, bytes.length - from);
      refuse.written += length;
      return length;
    },
  };
});

async function refusing<T>(operation: string, code: string, run: () => T | Promise<T>): Promise<T> {
  Object.assign(refuse, { operation, code, written: 0 });
  try {
    return await run();
  } finally {
    refuse.operation = "";
  }
}

function folderWith(content: string | null): { folder: string; path: string } {
  const folder = tempFolder();
  const path = join(folder, "report.html");
  if (content !== null) writeFileSync(path, content);
  return { folder, path };
}

const io = { save: saveFile, flush: (): void => {} };

describe("each operation of writing a file fails once", () => {
  const operations = ["open", "writeFile", "chmod", "sync", "close", "rename"];
  const codes: [string, number, string][] = [
    ["ENOSPC", 3, "the disk is full"],
    ["EIO", 3, "the device failed"],
    ["EDQUOT", 3, "the quota is used up"],
    ["EROFS", 2, "the file system is read-only"],
    ["EACCES", 2, "not permitted"],
  ];
  const all = operations.flatMap((operation) => codes.map((code) => [operation, ...code] as const));

  it.each(all)("%s with %s", async (operation, code, status, words) => {
    const { folder, path } = folderWith("the older report");
    const error = await refusing(operation, code, () =>
      makeFile(io, { option: "--report", path }, "the new report").catch((e: unknown) => e),
    );
    expect(failureOf(error)).toMatchObject({
      status,
      message: `--report: ${path}: cannot be written: ${words}, ${code}; the file that was there is as it was`,
    });
    expect(readdirSync(folder)).toEqual(["report.html"]);
    expect(readFileSync(path, "utf8")).toBe("the older report");
  });
});

describe("a file that is made", () => {
  it("takes the place of an older one with its mode, through a symbolic link, and leaves nothing beside", async () => {
    const { folder, path } = folderWith("old");
    const link = join(folder, "link.html");
    symlinkSync("report.html", link);
    await saveFile(link, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(folder).sort()).toEqual(["link.html", "report.html"]);
  });

  it("is whole, however many write it at once", async () => {
    const { folder, path } = folderWith(null);
    const contents = Array.from({ length: 8 }, (_, i) => String(i).repeat(2 ** 20));
    await Promise.all(contents.map((content) => saveFile(path, content)));
    expect(contents).toContain(readFileSync(path, "utf8"));
    expect(readdirSync(folder)).toEqual(["report.html"]);
  });

  it("does not replace a device", async () => {
    await saveFile("/dev/null", "gone");
    expect((await vmbind("explore", "xe-buffer-100e6", "--output", "/dev/null")).status).toBe(0);
  });

  it("is no input of the same run", async () => {
    const { path } = folderWith("input");
    const link = `${path}.link`;
    symlinkSync(path, link);
    for (const input of [path, link]) {
      await expect(checkOutput({ option: "--report", path }, [input])).rejects.toThrow(
        /is an input of this run/,
      );
    }
    const { status, err } = await vmbind("explore", path, "--output", path);
    expect(status).toBe(2);
    expect(err).toMatch(/report\.html/);
    expect(readFileSync(path, "utf8")).toBe("input");
    const workload = await vmbind("compare", "--workload", path, "--report", path);
    expect(workload).toMatchObject({ status: 2, out: "" });
    expect(workload.err).toContain("is an input of this run");
  });

  it("is refused before any work where it cannot be made", async () => {
    const { folder, path } = folderWith("old");
    for (const [output, words] of [
      [folder, /it is a folder, EISDIR/],
      [join(folder, "no", "report.html"), /no such folder, ENOENT/],
      [join(path, "x"), /a part of the path is no folder, ENOTDIR/],
    ] as const) {
      await expect(checkOutput({ option: "--report", path: output }, [])).rejects.toThrow(words);
    }
    await refusing("access", "EROFS", () =>
      expect(checkOutput({ option: "--report", path }, [])).rejects.toThrow(/read-only, EROFS/),
    );
  });
});

describe("standard output", () => {
  it.each(["ENOSPC", "EIO"])("that fails with %s is status 3", async (code) => {
    const error = await refusing("stdout", code, () => writeAll(1, "text")).catch((e: unknown) => e);
    expect(failureOf(error)).toMatchObject({ status: 3 });
    expect(failureOf(error).message).toMatch(new RegExp(`^standard output: cannot be written: .+, ${code}$`));
  });

  it("that nobody reads any more is no error", async () => {
    const error = await refusing("stdout", "EPIPE", () => writeAll(1, "text")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ReaderGone);
    expect(failureOf(error)).toEqual({ status: 0, message: null, usage: false });
  });

  it.each(["EAGAIN", "EINTR"])("that asks for patience with %s gets all of it", async (code) => {
    await refusing("stdout", code, () => writeAll(1, "all of the text"));
    expect(refuse.written).toBe("all of the text".length);
  });
});

describe("a defect or no memory is status 3 and one line", () => {
  it.each([
    [
      new TypeError("x is undefined\nsecond line"),
      /^internal error, please report it: TypeError: x is undefined/,
    ],
    [
      new RangeError("Array buffer allocation failed"),
      /^out of memory: array buffer allocation failed; NODE_OPTIONS/,
    ],
    [new RangeError("Invalid string length"), /^out of memory/],
    [new RangeError("Maximum call stack size exceeded"), /^internal error/],
    [
      Object.assign(new Error("terminated"), { code: "ERR_WORKER_OUT_OF_MEMORY" }),
      /^out of memory; NODE_OPTIONS/,
    ],
    [new OutOfMemory("out of memory in a worker thread; --jobs 1"), /--jobs 1/],
    ["thrown text", /^internal error: thrown text$/],
  ])("%s", (error, message) => {
    expect(failureOf(error).status).toBe(3);
    expect(failureOf(error).message).toMatch(message);
  });
});

const root = fileURLToPath(new URL("../../..", import.meta.url));
const CLI = join(root, "apps/bench/dist/cli.js");

describe("the program", () => {
  beforeAll(() => {
    const tsc = spawnSync("node_modules/.bin/tsc", ["-b", "apps/bench"], { cwd: root, encoding: "utf8" });
    expect(tsc.stdout).toBe("");
  }, 300_000);

  it.skipIf(process.platform !== "linux")("says on a full disk what is the matter", () => {
    const run = spawnSync(
      "sh",
      ["-c", '"$0" "$1" replay xe-buffer-100e6 >/dev/full', process.execPath, CLI],
      { encoding: "utf8" },
    );
    expect(run).toMatchObject({
      status: 3,
      stderr: "vmbind replay: standard output: cannot be written: the disk is full, ENOSPC\n",
    });
  });

  it("ends well when its reader leaves, and badly in silence when nobody hears", () => {
    const run = (line: string): number | null =>
      spawnSync("bash", ["-c", line, process.execPath, CLI]).status;
    expect(run('set -o pipefail; "$0" "$1" explain xe-many-small | head -1')).toBe(0);
    expect(run('"$0" "$1" replay nonexistent 2>&-')).toBe(2);
  });

  it("makes the report although its reader has left", { timeout: 120_000 }, () => {
    const { path } = folderWith(null);
    const options = `--workload buffer-100e6 --strategy xe-null --jobs 1 --report ${path}`;
    const run = spawnSync("bash", [
      "-c",
      `"$0" "$1" compare ${options} --json | head -c 1`,
      process.execPath,
      CLI,
    ]);
    expect(run.stdout.toString()).toBe("{");
    expect(readFileSync(path, "utf8")).toMatch(/<\/html>\n$/);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "stopped by %s while it measures leaves the older report",
    { timeout: 60_000 },
    async (signal) => {
      const { folder, path } = folderWith("the older report");
      const child = spawn(process.execPath, [CLI, "compare", "--report", path, "--jobs", "2"], {
        stdio: "ignore",
      });
      const ended = new Promise((resolve) => child.once("exit", (_, by) => resolve(by)));
      await setTimeout(1500);
      child.kill(signal);
      expect(await ended).toBe(signal);
      expect(readdirSync(folder)).toEqual(["report.html"]);
      expect(readFileSync(path, "utf8")).toBe("the older report");
    },
  );

  it.each(["SIGINT", "SIGTERM"] as const)(
    "stopped by %s while it writes takes the half away",
    { timeout: 60_000 },
    async (signal) => {
      const { folder, path } = folderWith("the older report");
      const code = `import { saveFile } from ${JSON.stringify(join(root, "apps/bench/dist/output/whole-file.js"))};
      for (;;) { await saveFile(process.argv[1], "x".repeat(2 ** 26)); }`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", code, path], { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", (_, by) => resolve(by)));
      while (readdirSync(folder).length < 2) await setTimeout(2);
      child.kill(signal);
      expect(await ended).toBe(signal);
      expect(readdirSync(folder)).toEqual(["report.html"]);
      expect(["the older report", "x".repeat(2 ** 26)]).toContain(readFileSync(path, "utf8"));
    },
  );

  it("says that memory has run out, and what gives it more", { timeout: 120_000 }, () => {
    const { path } = folderWith(
      JSON.stringify({
        format: "vmbind-workload",
        version: 1,
        name: "w",
        parametric: { size: 2 ** 36, bound: 1, tile: 4096 },
      }),
    );
    const argv = [
      "--max-old-space-size=40",
      CLI,
      "lower",
      path,
      "--strategy",
      "panthor-sparse",
      "--budget",
      "binds=99999999",
    ];
    const run = spawnSync(process.execPath, argv, { encoding: "utf8" });
    expect(run).toMatchObject({ status: 3, stdout: "" });
    expect(run.stderr).toBe(
      "vmbind lower: out of memory; NODE_OPTIONS=--max-old-space-size=MIB gives Node.js more\n",
    );
  });

  it.each([
    [
      "const all = []; for (let i = 0; ; i++) all.push({ i, next: { i } });",
      /^out of memory in a worker thread; --jobs 1 /,
    ],
    ["process.exit(7);", /^internal error.*a worker thread ended with 7; --jobs 1 /],
  ])("tells that a worker died from a difference: %s", { timeout: 60_000 }, (body, message) => {
    const { folder } = folderWith(null);
    const worker = join(folder, "worker.mjs");
    writeFileSync(worker, `export default () => { ${body} };`);
    const dist = (name: string): string => JSON.stringify(join(root, "apps/bench/dist", name));
    const code = `import { JobPool } from ${dist("jobs/pool.js")};
      import { failureOf } from ${dist("errors.js")};
      const pool = new JobPool(2, new URL("file://" + process.argv[2]));
      const error = await pool.run("semantics", { strategy: "x" }).catch((error) => error);
      await pool.close();
      console.log(JSON.stringify(failureOf(error)));`;
    const program = join(folder, "program.mjs");
    writeFileSync(program, code);
    const argv = ["--max-old-space-size=60", program, worker];
    const { stdout } = spawnSync(process.execPath, argv, { encoding: "utf8" });
    expect(JSON.parse(stdout)).toMatchObject({ status: 3, message: expect.stringMatching(message) });
  });
});
