/**
 * Files that the command makes: whole or not at all.
 *
 * A file is written beside its place under a name of its own, synced, and renamed. So a reader sees the old file or the new one,
 * two writers do not mix, and when the disk is full or the command is stopped the old file is as it was.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { constants, realpathSync, rmSync, type Stats, statSync } from "node:fs";
import { access, open, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { onExit } from "signal-exit";
import { codeOf, OutputError, UsageError } from "../errors.ts";

/**
 * Writes a file as a whole: what is not all of the old one or all of the new one is never there to be seen.
 *
 * @param path - of the file
 * @param content - all of it
 * @throws the error of the file system
 */
export type Save = (path: string, content: string | Uint8Array) => Promise<void>;

/** A file that is to be made. */
export interface OutputFile {
  /** The option that names it, e.g. `--report`. */
  readonly option: string;
  /** Its path as the user gave it. */
  readonly path: string;
}

/**
 * Look before any work is done whether a file can be made: better now than after the measurements. Nothing is written.
 *
 * @param output - the file
 * @param inputs - paths of what this run reads
 * @throws {@link UsageError} for a file that is an input of the same run
 * @throws {@link OutputError} for a place where it cannot be made
 */
export async function checkOutput({ option, path }: OutputFile, inputs: readonly string[]): Promise<void> {
  const what = `${option}: ${path}`;
  const there = statOf(path);
  const input = inputs.find((one) => isSame(path, there, one));
  if (input !== undefined) throw new UsageError(`${what} is an input of this run; name another file`);
  if (there?.isDirectory()) throw new OutputError(what, errorOf("EISDIR"));
  try {
    // An older file is replaced: it is the folder that has to take the new one.
    const target = there && !there.isFile() ? path : dirname(there ? realpathSync(path) : resolve(path));
    if (!there && statSync(target).isFile()) throw errorOf("ENOTDIR");
    await access(target, constants.W_OK);
    if (there?.isFile()) await access(path, constants.W_OK);
  } catch (error) {
    throw new OutputError(what, error);
  }
}

/**
 * Make a file.
 *
 * @param io - what writes
 * @param output - the file
 * @param content - all of it
 * @throws {@link OutputError} when it cannot be made; a file that was there is as it was
 */
export async function makeFile(
  io: { readonly save: Save; flush(): void },
  { option, path }: OutputFile,
  content: string | Uint8Array,
): Promise<void> {
  io.flush();
  try {
    await io.save(path, content);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    const note = statOf(path)?.isFile() ? "; the file that was there is as it was" : "";
    throw new OutputError(`${option}: ${path}`, error, note);
  }
}

/**
 * Write a file as a whole; into what is no regular file (a pipe, a terminal, /dev/null) just write.
 *
 * @param path - of the file; a symbolic link is followed
 * @param content - all of it
 * @throws the error of the file system; the file is as it was then, and nothing is left beside it
 */
export async function saveFile(path: string, content: string | Uint8Array): Promise<void> {
  const there = statOf(path);
  if (there && !there.isFile()) return writeFile(path, content);
  const target = there ? realpathSync(path) : resolve(path);
  const beside = join(
    dirname(target),
    `.${basename(target).slice(0, 200)}.${randomBytes(6).toString("hex")}`,
  );
  // A signal that ends the process must not leave it there.
  const forget = onExit(() => rmSync(beside, { force: true }));
  try {
    await writeBeside(beside, content, there);
    await rename(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  } finally {
    forget();
  }
}

async function writeBeside(path: string, content: string | Uint8Array, like: Stats | null): Promise<void> {
  const file = await open(path, "wx", 0o666);
  try {
    // Goes on where the system takes only a part, as a disk that gets full does.
    await file.writeFile(content);
    if (like) await file.chmod(like.mode & 0o7777);
    await file.sync();
  } finally {
    await file.close();
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    // Whoever writes there hears why.
    return null;
  }
}

function isSame(path: string, there: Stats | null, other: string): boolean {
  if (resolve(path) === resolve(other)) return true;
  const found = statOf(other);
  return (
    there !== null && found !== null && there.isFile() && there.dev === found.dev && there.ino === found.ino
  );
}

function errorOf(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}
