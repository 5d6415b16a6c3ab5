/**
 * A C program on the models, through the shim: what it may do with descriptors, memory and fences, and what is left when it is
 * done, or killed. Where there is no C compiler these are skipped.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkCalls, type Leftover, watchLeftovers } from "../src/check.ts";
import { hardwareDriver } from "../src/drivers/table.ts";
import type { HardwareDriver } from "../src/hardware.ts";
import { logCalls } from "../src/log.ts";
import { fillFolder, makeFolder, removeFolder, sweepBehind } from "../src/node-folder.ts";
import { RecordServer } from "../src/record-server.ts";
import { Recorder } from "../src/recorder.ts";
import { LiveServer } from "../src/server.ts";
import { LiveSession } from "../src/session.ts";
import { SharedMemory } from "../src/shared-memory.ts";
import { shimFile } from "../src/shim.ts";
import { headerOf, recordCalls } from "../src/trace-file.ts";

const COMPILER = process.env["CC"] || "cc";
const SOURCE = fileURLToPath(new URL("client/client.c", import.meta.url));
const canCompile =
  process.platform === "linux" && spawnSync(COMPILER, ["--version"], { stdio: "ignore" }).status === 0;

if (!canCompile) {
  test.skip(`there is no C compiler "${COMPILER}": what a program does on the models is not tested`, () => {});
}

let folder = "";
let client = "";

/** A session with everything on that can look on. */
interface Watched {
  readonly session: LiveSession;
  readonly log: string[];
  readonly lines: string[];
  readonly leftovers: Leftover[];
  readonly faults: unknown[];
  readonly end: () => void;
}

async function watch(name = "xe", device = "bmg"): Promise<Watched> {
  const driver = (await hardwareDriver(name)) as HardwareDriver;
  const log: string[] = [];
  const lines: string[] = [];
  const leftovers: Leftover[] = [];
  const faults: unknown[] = [];
  const recorders: Recorder[] = [];
  const session = await LiveSession.start({
    driver,
    device,
    cache: folder,
    memoryFolder: folder,
    observers: (hardware) => {
      const header = headerOf(driver, hardware, ["client"]);
      const recorder = new Recorder({ driver, header, write: (line) => lines.push(line) });
      recorders.push(recorder);
      return [
        { fault: (error) => faults.push(error) },
        watchLeftovers((leftover) => leftovers.push(leftover)),
        recordCalls(recorder),
        logCalls(driver, (line) => log.push(line)),
        checkCalls(driver, hardware.device, (error) => faults.push(error)),
      ];
    },
  });
  const end = () => {
    session.close();
    for (const recorder of recorders) recorder.end();
  };
  return { session, log, lines, leftovers, faults, end };
}

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly text: string;
}

function start(
  session: Pick<LiveSession, "shim" | "folder">,
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcess {
  return spawn(client, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LD_PRELOAD: session.shim, VMBIND_LIVE: session.folder, ...env },
  });
}

function ended(child: ChildProcess): Promise<Ended> {
  let text = "";
  child.stdout?.on("data", (chunk) => (text += chunk));
  child.stderr?.on("data", (chunk) => (text += chunk));
  return new Promise((resolve) => {
    child.once("close", (status, signal) => resolve({ status, signal, text }));
  });
}

/** Until the client says so. */
function says(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve) => {
    child.stdout?.on("data", (chunk) => {
      if (String(chunk).includes(word)) resolve();
    });
  });
}

/** Until the server has seen a process go. */
async function settled({ session }: Watched): Promise<void> {
  for (let i = 0; i < 200 && session.server.files.length > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function expectNothingLeft({ session, faults }: Watched): void {
  const { counters } = session.hardware.device;
  expect(faults).toEqual([]);
  expect(session.server.files.length).toBe(0);
  expect({ tables: counters.tablesLive, bytes: counters.backingBytes }).toEqual({ tables: 0, bytes: 0 });
}

describe.skipIf(!canCompile)("a program on the models", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "vmbind-test-"));
    client = join(folder, "client");
    execFileSync(COMPILER, ["-O1", "-Wall", "-Werror", "-o", client, SOURCE, "-lpthread"]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(["whole", "descriptors", "prime", "syncobjs", "threads", "faults"])("%s", async (what) => {
    const watched = await watch();
    try {
      const { status, text } = await ended(start(watched.session, [what]));
      expect(text).toMatch(/^(ok\n)+$/);
      expect(status).toBe(0);
      await settled(watched);
      expectNothingLeft(watched);
    } finally {
      watched.end();
    }
  });

  test("a refused call is told with its reason", async () => {
    const watched = await watch();
    try {
      await ended(start(watched.session, ["faults"]));
    } finally {
      watched.end();
    }
    const { log } = watched;
    expect(log.some((line) => /XE_VM_BIND \{.*num_binds=3.*= -EFAULT \(.*not mapped/.test(line))).toBe(true);
    expect(log.some((line) => /GEM_CLOSE \{handle=77\} = -EINVAL \(.*77/.test(line))).toBe(true);
  });

  test("recorded in front of the driver it is what the server records", async () => {
    const watched = await watch();
    const { session, lines } = watched;
    const driver = (await hardwareDriver("xe")) as HardwareDriver;
    const own = makeFolder();
    const seen: string[] = [];
    const header = headerOf(driver, session.hardware, ["client"]);
    const recorder = new Recorder({ driver, header, write: (line) => seen.push(line) });
    const times: number[] = [];
    const server = new RecordServer({
      folder: own,
      recorderFor: () => recorder,
      timed: (_, ns) => times.push(ns),
    });
    await server.listen();
    try {
      const preload = `${await shimFile("record", folder)}:${session.shim}`;
      const end = await ended(start(session, ["whole"], { LD_PRELOAD: preload, VMBIND_RECORD: own }));
      expect(end.text).toBe("ok\n");
      await settled(watched);
    } finally {
      server.close();
      recorder.end();
      watched.end();
      removeFolder(own);
    }
    // The header and the end are each recording's own.
    expect(seen.slice(1, -1)).toEqual(lines.slice(1, -1));
    expect(seen.filter((line) => line.includes("file-close")).length).toBe(2);
    expect(times.length).toBe(seen.filter((line) => line.startsWith('{"seq"')).length);
    expect(times.every((ns) => ns > 0)).toBe(true);
  });

  test("killed in the middle, it leaves nothing", async () => {
    const watched = await watch();
    try {
      const child = start(watched.session, ["hold"]);
      const over = ended(child);
      await says(child, "holding");
      child.kill("SIGKILL");
      expect((await over).signal).toBe("SIGKILL");
      await settled(watched);
      expectNothingLeft(watched);
      expect(watched.leftovers).toEqual([{ file: 0, vms: 1, mappings: 1, objects: 1, bytes: 16 << 20 }]);
    } finally {
      watched.end();
    }
  });

  test("when the server goes it says so and ends", async () => {
    const watched = await watch();
    const child = start(watched.session, ["hold"]);
    const over = ended(child);
    await says(child, "holding");
    watched.end();
    const { status, text } = await over;
    expect(status).toBe(111);
    expect(text).toMatch(/vmbind: \w+: the server is gone/);
    expect(existsSync(watched.session.folder)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith("vmbind-live"))).toEqual([]);
  });

  test("a full folder is ENOMEM for the one who maps, and nothing for the others", async () => {
    class Full extends SharedMemory {
      override get room(): number {
        return 32 << 20;
      }
    }
    const driver = (await hardwareDriver("xe")) as HardwareDriver;
    const memory = new Full(folder);
    const own = makeFolder();
    const hardware = driver.create("bmg", { backing: memory, pages: memory, note: () => {} });
    fillFolder(own, hardware);
    const faults: unknown[] = [];
    const server = new LiveServer({
      hardware,
      folder: own,
      memory,
      observers: [{ fault: (error) => faults.push(error) }],
    });
    await server.listen();
    try {
      const session = { folder: own, shim: await shimFile("live", folder) };
      const { status, text } = await ended(start(session, ["whole"]));
      expect(status).toBe(1);
      expect(text).toMatch(/MAP_FAILED \(Cannot allocate memory\)/);
      expect(faults).toEqual([expect.objectContaining({ name: "MemoryFull" })]);
      expect(String(faults[0])).toMatch(/mmap of 64 MiB: .* has room for 32 MiB/);
      expect((await ended(start(session, ["prime"]))).text).toBe("ok\n");
    } finally {
      server.close();
      memory.close();
      removeFolder(own);
    }
  });

  test("the folder goes with the pipe, however the server ended", async () => {
    const own = makeFolder();
    const stop = sweepBehind(own);
    expect(statSync(own).mode & 0o777).toBe(0o700);
    stop();
    for (let i = 0; i < 400 && existsSync(own); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(existsSync(own)).toBe(false);
  });

  test("twelve at once do not meet", async () => {
    const watched = await watch();
    try {
      const all = Array.from({ length: 12 }, (_, i) =>
        ended(start(watched.session, [i % 2 ? "whole" : "descriptors"])),
      );
      for (const { status, text } of await Promise.all(all))
        expect({ status, text }).toMatchObject({ status: 0 });
      await settled(watched);
      expectNothingLeft(watched);
    } finally {
      watched.end();
    }
  });

  test("the shim is C of fewer than 500 lines without a word of a driver", () => {
    const sources = fileURLToPath(new URL("../shim/", import.meta.url));
    const text = readdirSync(sources)
      .map((name) => readFileSync(join(sources, name), "utf8"))
      .join("");
    expect(text.split("\n").length).toBeLessThan(500);
    expect(text).not.toMatch(/\b(xe|panthor|asahi|nouveau|msm|amdgpu)\b/i);
  });
});
