import { InputError, oneLine, visible, visibleLines } from "@vmbind/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("text from a file", () => {
  it.each([
    ["plain, with ümlauts, 漢字 and 🦊", "plain, with ümlauts, 漢字 and 🦊"],
    ["two\nlines\r\tand", "two\\nlines\\r\\tand"],
    ["\u001b[31mred\u007f\u009b0m", "\\u001b[31mred\\u007f\\u009b0m"],
    ["\u202egnp.exe\u2066\u200f\u061c", "\\u202egnp.exe\\u2066\\u200f\\u061c"],
    ["\u2028\u2029\ufeff\u200b", "\\u2028\\u2029\\ufeff\\u200b"],
    ["half \ud83e of a pair", "half \\ud83e of a pair"],
    ["tag \u{e0041}", "tag \\udb40\\udc41"],
  ])("%j is shown as %s", (text, shown) => expect(visible(text)).toBe(shown));

  it("keeps line feeds where lines are wanted", () => {
    expect(visibleLines("a\u0007\nb\r\n")).toBe("a\\u0007\nb\\r\n");
  });

  it("has nothing left that cannot be seen, and JSON in it stays the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(visible(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\p{Cs}/u);
        expect(visible(visible(text))).toBe(visible(text));
        expect(JSON.parse(visible(JSON.stringify(text)))).toBe(text);
      }),
    );
  });

  it("in one line keeps beginning and end, and is never longer than told", () => {
    expect(oneLine("abc", 16)).toBe("abc");
    expect(oneLine(`${"a".repeat(1000)}the end`, 40)).toMatch(/^a+ \.\.\. a*the end$/);
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.integer({ min: 16, max: 300 }),
        (text, most) => {
          expect(oneLine(text, most).length).toBeLessThanOrEqual(most);
        },
      ),
    );
  });
});

it("an error about an input is one line, whatever the path and the file say", () => {
  const { message, rule } = new InputError(
    `${"dir\n/".repeat(900)}f.jsonl`,
    12,
    `expected a, got "${"\n".repeat(9999)}"`,
  );
  expect(message.length).toBeLessThanOrEqual(280);
  expect(message).toMatch(/^dir\\n\/.*f\.jsonl:12: expected a, got .*"$/);
  expect(message.endsWith(rule)).toBe(true);
});
