/**
 * Results of jobs, kept between runs under the digest of everything that they depend on.
 *
 * A cache may be missing, read-only, damaged or written by several runs at once, and the output stays the same: an entry says what
 * it is for and carries a digest of itself, so that one that is not whole counts as none; it is written beside its place and renamed;
 * and whatever the file system refuses is left undone.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { JobKind, JobOutcome, JobResult, JobTask } from "@vmbind/lab";

/** Bytes of a cache before the oldest entries go. */
const BYTES_MAX = 64 * 2 ** 20;

/** Part of these that is left then. */
const KEPT = 0.75;

/** An entry that is used is marked so at most once in this time, ms. */
const MARK_MS = 3_600_000;

/** What a writer that was killed has left goes after this time, ms. */
const LEFTOVER_MS = 3_600_000;

const ENTRY = /^[0-9a-f]{64}\.json$/;

/** A folder of results. */
export class ResultCache {
  readonly #folder: string;
  readonly #code: string;
  readonly #bytesMax: number;
  #written = 0;

  /**
   * @param folder - made when the first result comes
   * @param code - digest of the code that makes the results
   * @param bytesMax - bytes before the oldest entries go
   */
  constructor(folder: string, code: string, bytesMax: number = BYTES_MAX) {
    this.#folder = folder;
    this.#code = code;
    this.#bytesMax = bytesMax;
  }

  /**
   * @param kind - which job
   * @param task - what it is told
   * @returns what came of it before, or null
   */
  async find<K extends JobKind>(kind: K, task: JobTask<K>): Promise<JobOutcome<JobResult<K>> | null> {
    const key = keyOf(this.#code, kind, task);
    const path = this.#pathOf(key);
    try {
      const found = contentOf(await readFile(path, "utf8"), key);
      if (found !== null) await this.#mark(path);
      return found as JobOutcome<JobResult<K>> | null;
    } catch {
      return null;
    }
  }

  /**
   * Keep what came of a job. What JSON does not give back as it was is not kept, nor a defect of the program.
   *
   * @param kind - which job
   * @param task - what it was told
   * @param outcome - what came of it
   */
  async keep<K extends JobKind>(kind: K, task: JobTask<K>, outcome: JobOutcome<JobResult<K>>): Promise<void> {
    if ("failure" in outcome && outcome.failure.name === "Error") return;
    const content = JSON.stringify(outcome);
    if (!isDeepStrictEqual(JSON.parse(content), outcome)) return;
    const key = keyOf(this.#code, kind, task);
    const path = this.#pathOf(key);
    const beside = `${path}.${randomBytes(6).toString("hex")}`;
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(beside, `${digestOf(key, content)}\n${key}\n${content}`, { flag: "wx" });
      await rename(beside, path);
      this.#written++;
    } catch {
      await remove(beside);
    }
  }

  /** Bound the cache, if this run has added to it: the entries that were not used for the longest time go. */
  async close(): Promise<void> {
    if (this.#written === 0) return;
    this.#written = 0;
    try {
      await this.#bound();
    } catch {}
  }

  async #bound(): Promise<void> {
    const entries: { path: string; bytes: number; used: number }[] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const found = await stat(path).catch(() => null);
      if (found === null) continue;
      if (ENTRY.test(name)) entries.push({ path, bytes: found.size, used: found.mtimeMs });
      else if (Date.now() - found.mtimeMs > LEFTOVER_MS) await remove(path);
    }
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    if (bytes <= this.#bytesMax) return;
    for (const entry of entries.sort((a, b) => a.used - b.used)) {
      if (bytes <= this.#bytesMax * KEPT) break;
      await remove(entry.path);
      bytes -= entry.bytes;
    }
  }

  async #mark(path: string): Promise<void> {
    const now = Date.now();
    if (now - (await stat(path)).mtimeMs > MARK_MS)
      await utimes(path, now / 1000, now / 1000).catch(() => {});
  }

  #pathOf(key: string): string {
    return join(this.#folder, `${createHash("sha256").update(key).digest("hex")}.json`);
  }
}

/** Everything that decides a result, in one line. */
function keyOf(code: string, kind: string, task: unknown): string {
  return JSON.stringify({ code, kind, task }, (_, value) => (value instanceof Map ? [...value] : value));
}

function contentOf(text: string, key: string): unknown {
  const [digest, found] = text.split("\n", 2);
  if (found !== key) return null;
  const content = text.slice((digest as string).length + key.length + 2);
  return digest === digestOf(key, content) ? JSON.parse(content) : null;
}

function digestOf(key: string, content: string): string {
  return createHash("sha256").update(key).update("\n").update(content).digest("hex");
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}
