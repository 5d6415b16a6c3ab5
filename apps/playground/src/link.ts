/**
 * The state of the page in its address, so that a link shows what its sender saw: which pane, and the state of each.
 *
 * ```text
 * #trace            a pane, with nothing chosen in it
 * #trace/q1ZKLE...  the same with the states of all panes: JSON, deflated, in base64url
 * ```
 */

import * as v from "valibot";

/** What a link says. */
export interface Link {
  /** Id of the pane that is shown; empty for none. */
  readonly pane: string;
  /** States by pane, unchecked: each pane has its schema. */
  readonly states: Readonly<Record<string, unknown>>;
}

const STATES = v.record(v.string(), v.unknown());
/** A state is a choice, not a document: more than this is no link of ours. */
const CHARACTERS_MAX = 2_000_000;

/**
 * @param link - what is to be said
 * @returns the hash of the address, with `#`
 */
export async function hashOf({ pane, states }: Link): Promise<string> {
  if (Object.keys(states).length === 0) return `#${pane}`;
  const bytes = await through(
    new TextEncoder().encode(JSON.stringify(states)),
    new CompressionStream("deflate-raw"),
  );
  return `#${pane}/${base64Url(bytes)}`;
}

/**
 * @param hash - of an address, with or without `#`
 * @returns what it says; what cannot be read is left out, never an error: links get cut
 */
export async function linkOf(hash: string): Promise<Link> {
  const [, pane = "", packed = ""] = /^#?([\w-]*)(?:\/([\w-]+))?/.exec(hash) ?? [];
  if (packed === "" || packed.length > CHARACTERS_MAX) return { pane, states: {} };
  try {
    const text = new TextDecoder().decode(
      await through(bytesOf(packed), new DecompressionStream("deflate-raw")),
    );
    const states = v.safeParse(STATES, JSON.parse(text));
    return { pane, states: states.success ? states.output : {} };
  } catch {
    return { pane, states: {} };
  }
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: GenericTransformStream,
): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(out).arrayBuffer());
}

function base64Url(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}
