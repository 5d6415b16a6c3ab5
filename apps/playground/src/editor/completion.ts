/**
 * Completion and hints: the functions of a program with their signatures, and inside of `vmBind` the operations of its driver and their
 * members, as the driver's own table says them.
 */

import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { syntaxTree } from "@codemirror/language";
import { type EditorView, hoverTooltip, type Tooltip } from "@codemirror/view";
import type { Offer } from "../engine/programs/list-strategies.ts";
import { FUNCTIONS, type ProgramFunction } from "./functions.ts";

type Node = ReturnType<ReturnType<typeof syntaxTree>["resolveInner"]>;
type Docs = CompletionContext["state"]["doc"];

const FUNCTION_OPTIONS: readonly Completion[] = FUNCTIONS.map(({ name, signature, says }) => ({
  label: name,
  type: signature.startsWith("(") ? "function" : "constant",
  detail: signature,
  info: says,
}));

/** Which operation of which driver a place is in. */
interface InOperation {
  readonly driver: string;
  /** `op` of the object; empty while there is none. */
  readonly op: string;
}

/**
 * @param offered - what there is by now
 * @returns the source of completions of a program
 */
export function programCompletion(offered: () => Offer | null) {
  return (context: CompletionContext): CompletionResult | null => {
    const offer = offered();
    const { state, pos } = context;
    const node = syntaxTree(state).resolveInner(pos, -1);
    if (node.name === "LineComment" || node.name === "BlockComment") return null;
    if (node.name === "String") return stringCompletion(offer, state.doc, node);
    const word = context.matchBefore(/[\p{L}_$][\p{L}\p{N}_$]*/u);
    if (word === null && !context.explicit) return null;
    const from = word?.from ?? pos;
    if (state.sliceDoc(from - 1, from) === ".") {
      const at: Completion = { label: "at", type: "method", detail: "(offset: number): Address" };
      return { from, options: [at] };
    }
    const place = inOperation(state.doc, node);
    const members = place && memberOptions(offer, place);
    if (members && isMemberPlace(node)) return { from, options: members };
    return { from, options: [...FUNCTION_OPTIONS, ...declared(state.doc)], validFor: /^[\p{L}\p{N}_$]*$/u };
  };
}

/** Inside of quotes: a driver, or an operation. */
function stringCompletion(offer: Offer | null, doc: Docs, node: Node): CompletionResult | null {
  const from = node.from + 1;
  const validFor = /^[\w-]*$/;
  if (node.parent?.name === "ArgList" && nameOfCall(doc, node.parent) === "vmBind") {
    return {
      from,
      validFor,
      options: (offer?.vmBind ?? []).map(({ driver }) => ({ label: driver, type: "enum" })),
    };
  }
  const place = inOperation(doc, node);
  const isOp =
    node.parent?.name === "Property" && doc.sliceString(node.parent.from, node.from).startsWith("op");
  if (place === null || !isOp) return null;
  const options = opsOf(offer, place.driver).map(
    ({ op, needs, takes }): Completion => ({
      label: op,
      type: "enum",
      detail: needs.join(", "),
      ...(takes.length > 0 && { info: `may have ${takes.join(", ")}` }),
    }),
  );
  return { from, validFor, options };
}

function opsOf(offer: Offer | null, driver: string): Offer["vmBind"][number]["ops"] {
  return offer?.vmBind.find((one) => one.driver === driver)?.ops ?? [];
}

function memberOptions(offer: Offer | null, { driver, op }: InOperation): Completion[] {
  const ops = opsOf(offer, driver);
  const chosen = ops.find((one) => one.op === op);
  const needs = new Set(chosen?.needs ?? ops.flatMap((one) => one.needs));
  const takes = new Set(chosen?.takes ?? ops.flatMap((one) => one.takes));
  return [
    ...(op === "" ? [{ label: "op", type: "property", detail: "which operation", boost: 2 }] : []),
    ...[...needs].map((label) => ({ label, type: "property", detail: "needed", boost: 1 })),
    ...[...takes].filter((label) => !needs.has(label)).map((label) => ({ label, type: "property" })),
  ];
}

/** Where the name of a member would stand. */
function isMemberPlace(node: Node): boolean {
  return (
    node.name === "ObjectExpression" ||
    node.name === "PropertyDefinition" ||
    node.name === "{" ||
    (node.name === "," && node.parent?.name === "ObjectExpression") ||
    (node.name === "⚠" && node.parent?.name === "Property")
  );
}

function inOperation(doc: Docs, start: Node): InOperation | null {
  let object: Node | null = null;
  for (let node: Node | null = start; node !== null; node = node.parent) {
    if (node.name === "ObjectExpression") object ??= node;
    if (node.name !== "ArgList" || nameOfCall(doc, node) !== "vmBind") continue;
    const first = node.getChild("String");
    if (object === null || first === null) return null;
    const driver = doc.sliceString(first.from + 1, first.to - 1);
    const [, op = ""] = /\bop:\s*["']([\w-]*)["']/.exec(doc.sliceString(object.from, object.to)) ?? [];
    return { driver, op };
  }
  return null;
}

function nameOfCall(doc: Docs, args: Node): string {
  const called = args.parent?.firstChild;
  return called ? doc.sliceString(called.from, called.to) : "";
}

/** What the program itself has made. */
function declared(doc: Docs): Completion[] {
  const names = new Set<string>();
  for (const [, name] of doc
    .toString()
    .matchAll(/\b(?:const|let|var|function)\s+([\p{L}_$][\p{L}\p{N}_$]*)/gu)) {
    names.add(name as string);
  }
  return [...names].map((label) => ({ label, type: "variable", boost: 1 }));
}

/** What a function is, under the pointer. */
export const programHints: ReturnType<typeof hoverTooltip> = hoverTooltip((view, pos): Tooltip | null => {
  const word = view.state.wordAt(pos);
  if (word === null) return null;
  const name = view.state.sliceDoc(word.from, word.to);
  const found = FUNCTIONS.find((one) => one.name === name);
  return found === undefined
    ? null
    : { pos: word.from, end: word.to, create: () => ({ dom: hintOf(view, found) }) };
});

function hintOf(view: EditorView, { name, signature, says }: ProgramFunction): HTMLElement {
  const { ownerDocument } = view.dom;
  const dom = ownerDocument.createElement("div");
  dom.className = "editor-hint";
  const code = ownerDocument.createElement("code");
  code.textContent = name + signature;
  const text = ownerDocument.createElement("div");
  text.textContent = says;
  dom.append(code, text);
  return dom;
}
