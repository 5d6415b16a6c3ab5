/**
 * JSON from outside: parsed only where it is UTF-8, no deeper than any format needs, and of no more parts than memory has room
 * for. The shape of the text is looked at before anything is made of it.
 *
 * @module
 */

import { InputError } from "./input-error.ts";

/** Deepest nesting that is accepted. The deepest of all formats is 7. */
const DEPTH_MAX = 64;
/** Most values of one text. The recorded line with the most has 167 thousand. */
const VALUES_MAX: number = 2 ** 22;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/**
 * Parse one text.
 *
 * @param path - where it comes from, for errors
 * @param line - the line that it stands on; 0 for a text of several lines, and then errors name the line that they are about
 * @param bytes - the text
 * @param utf8 - a decoder that throws for what is not UTF-8
 * @returns what JSON.parse gives
 * @throws {@link InputError} for bytes that are not UTF-8, a text that is not JSON, and one that is nested deeper than 64 or
 * has more than 4194304 values
 */
export function parseJson(
  path: string,
  line: number,
  bytes: Uint8Array,
  utf8: TextDecoder = new TextDecoder("utf-8", { fatal: true }),
): unknown {
  holdShape(path, line, bytes);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new InputError(path, line, "not valid UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (text.trim() === "")
      throw new InputError(path, line, `not JSON: ${line > 0 ? "an empty line" : "it is empty"}`);
    const { message } = error as Error;
    const rule = message.slice(0, message.search(/[\r\n]|$/));
    throw new InputError(path, line > 0 ? line : lineOf(text, message), `not JSON: ${rule}`);
  }
}

/** The line that JSON.parse complains about, 0 when it does not say. */
function lineOf(text: string, message: string): number {
  const at = /at position (\d+)/.exec(message)?.[1];
  return at === undefined ? 0 : text.slice(0, Number(at)).split("\n").length;
}

/** Strings are jumped over, so that what they hold costs next to nothing. */
function holdShape(path: string, line: number, bytes: Uint8Array): void {
  let depth = 0;
  let values = 1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
    } else if (byte === COMMA) {
      values++;
    } else if (byte === 0x5b || byte === 0x7b) {
      values++;
      if (++depth > DEPTH_MAX) throw new InputError(path, line, `nested deeper than ${DEPTH_MAX}`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
    if (values > VALUES_MAX) throw new InputError(path, line, `more than ${VALUES_MAX} values in one text`);
  }
}

/** Strings up to so many bytes end before a search for their quote has begun. */
const SHORT_STRING = 32;

/** Index of the quote that ends a string, or of the text's end. */
function endOfString(bytes: Uint8Array, start: number): number {
  const near = Math.min(start + SHORT_STRING, bytes.length);
  for (let end = start + 1; end < near; end++) {
    const byte = bytes[end];
    if (byte === QUOTE) return end;
    if (byte === BACKSLASH) break;
  }
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return bytes.length;
}
