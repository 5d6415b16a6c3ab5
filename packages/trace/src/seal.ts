/**
 * The end line of a file of JSON Lines: it says how many lines the file has and what their digest is.
 *
 * A file that is cut where a line ends looks like a shorter one, and what is gone can no longer disagree. So a writer promises
 * an end in the header (`"sealed":true`) and keeps the promise last:
 *
 * ```json
 * {"end":"complete","lines":123,"sha256":"9f86d08..."}
 * ```
 *
 * `lines` counts those between the header and this one. `sha256` is of all bytes in front of it, so that `sed '$d' FILE | sha256sum`
 * tells. A recorder that had to stop writes `"end":"cut"` in place of `"complete"`. Files of before have neither promise
 * nor end; whoever reads one is told so.
 *
 * The digest is computed by whoever has the means to: a program gives `createHash("sha256")` of Node. Without one the lines
 * are counted only.
 *
 * @module
 */

import { InputError } from "./input-error.ts";
import { valueInWords } from "./words.ts";

/** Computes a SHA-256: what `createHash("sha256")` of Node returns. */
export interface Digest {
  /** Take more bytes, or text as UTF-8. */
  update(data: Uint8Array | string): unknown;
  /** The digest of all of them, in lower-case hex. */
  digest(encoding: "hex"): string;
}

/** Begins a digest. */
export type NewDigest = () => Digest;

/** How a file ends: whole as it says, cut as it says, or without saying anything. */
export type FileEnd = "complete" | "cut" | "open";

const LINE_FEED = 0x0a;

/** Members of an end line, and no others. */
const MEMBERS = ["end", "lines", "sha256"];

/** Writes lines, and at last the one that says what they were. */
export class Seal {
  readonly #digest: Digest;
  /** The header is no line of its own count. */
  #lines = -1;

  /** @param digest - a new one */
  constructor(digest: Digest) {
    this.#digest = digest;
  }

  /**
   * @param line - the next line, header first, with its line feed
   * @returns the line
   */
  add(line: string): string {
    this.#lines++;
    this.#digest.update(line);
    return line;
  }

  /**
   * @param end - whether all was written that there was
   * @returns the end line with its line feed; nothing may be added any more
   */
  end(end: "complete" | "cut" = "complete"): string {
    return `${JSON.stringify({ end, lines: this.#lines, sha256: this.#digest.digest("hex") })}\n`;
  }
}

/** Reads lines up to the end line, and holds them against it. */
export class SealCheck {
  readonly #path: string;
  readonly #digest: Digest | null;
  #promised = false;
  #lines = 0;
  #end: FileEnd = "open";
  /**
   * Lines that stand one behind the other in the same memory, from the first byte to behind the last one: the digest takes them together,
   * for a call costs more than the bytes of a line.
   */
  #memory: Uint8Array | null = null;
  #from = 0;
  #to = 0;

  /**
   * @param path - of the file, for errors
   * @param digest - a new one, or null where there is none
   */
  constructor(path: string, digest: Digest | null) {
    this.#path = path;
    this.#digest = digest;
  }

  /**
   * @param line - its number, from 1
   * @param bytes - the line without its line feed; they stay as they are until the end
   * @param value - what it holds, null for a line that is neither the header nor an end line
   * @returns whether it is a line of the file's own: not the header, nor the end
   * @throws {@link InputError} for an end line that is not that of the lines before it, and for a line behind it
   */
  take(line: number, bytes: Uint8Array, value: Readonly<Record<string, unknown>> | null): boolean {
    if (this.#end !== "open") throw new InputError(this.#path, line, "stands behind the end line");
    if (value !== null && line === 1) this.#promised = this.#promise(value);
    else if (value !== null && isEnd(value)) {
      this.#end = this.#hold(line, value);
      return false;
    } else this.#lines++;
    if (this.#digest !== null) this.#add(bytes);
    return line > 1;
  }

  #add(bytes: Uint8Array): void {
    const from = bytes.byteOffset;
    const goesOn = this.#memory?.buffer === bytes.buffer && from === this.#to + 1;
    if (!goesOn || this.#memory?.[this.#to] !== LINE_FEED) {
      this.#flush();
      this.#memory = new Uint8Array(bytes.buffer);
      this.#from = from;
    }
    this.#to = from + bytes.length;
  }

  #flush(): void {
    if (this.#memory === null) return;
    this.#digest?.update(this.#memory.subarray(this.#from, this.#to));
    this.#digest?.update("\n");
    this.#memory = null;
  }

  /**
   * @returns how the file ended
   * @throws {@link InputError} for a file that promises an end line and has none
   */
  close(): FileEnd {
    if (this.#promised && this.#end === "open") {
      throw new InputError(
        this.#path,
        0,
        `header.sealed: the file promises an end line and has none: it was cut behind line ${this.#lines + 1}`,
      );
    }
    return this.#end;
  }

  #promise(header: Readonly<Record<string, unknown>>): boolean {
    const sealed = Object.hasOwn(header, "sealed") ? header["sealed"] : false;
    if (typeof sealed === "boolean") return sealed;
    throw new InputError(this.#path, 1, `header.sealed: expected true or false, got ${valueInWords(sealed)}`);
  }

  #hold(line: number, value: Readonly<Record<string, unknown>>): FileEnd {
    const fail = (rule: string): never => {
      throw new InputError(this.#path, line, rule);
    };
    const surplus = Object.keys(value).find((name) => !MEMBERS.includes(name));
    if (surplus !== undefined) fail(`${surplus}: is no member of an end line`);
    const { end, lines, sha256 } = value;
    if (end !== "complete" && end !== "cut")
      return fail(`end: expected "complete" or "cut", got ${valueInWords(end)}`);
    if (lines !== this.#lines)
      fail(`lines: says ${valueInWords(lines)}, but ${this.#lines} stand between the header and here`);
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
      return fail(`sha256: expected 64 digits of hex, got ${valueInWords(sha256)}`);
    this.#flush();
    if (this.#digest !== null && this.#digest.digest("hex") !== sha256)
      fail("sha256: is not that of the bytes before this line");
    return end;
  }
}

/** A record has no such member; a case may have one that is an object, a state at the end of something. */
function isEnd(value: Readonly<Record<string, unknown>>): boolean {
  if (!Object.hasOwn(value, "end") || Object.hasOwn(value, "mark") || Object.hasOwn(value, "seq"))
    return false;
  const { end } = value;
  return typeof end !== "object" || end === null;
}
