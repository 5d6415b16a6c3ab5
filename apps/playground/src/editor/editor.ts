/**
 * The editor. CodeMirror, and sucrase for what it holds: together a twentieth of what Monaco with TypeScript's checker weighs, and usable with
 * a screen reader and on a phone. What the checker would know is known here otherwise: completion and hints come from the tables of the
 * drivers, and what is wrong shows at its line, because the program runs at each pause.
 */

import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Editor, EditorMark, EditorOptions } from "./api.ts";
import { programCompletion, programHints } from "./completion.ts";

/** Colours are the page's, so that light and dark follow it. */
const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--sparse)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--shared-4)" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: tags.function(tags.variableName), color: "var(--memory-4)", fontWeight: "600" },
  { tag: [tags.typeName, tags.className], color: "var(--link)" },
  { tag: tags.propertyName, color: "var(--ink)" },
]);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--paper)", color: "var(--ink)", height: "100%", fontSize: "0.84rem" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", overflow: "auto" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--chosen) 55%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": {
    backgroundColor: "var(--chosen) !important",
  },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--ink)", border: "1px solid var(--rule)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--chosen)",
    color: "var(--ink)",
  },
  ".cm-completionDetail": { fontStyle: "normal", color: "var(--muted)" },
  // A line the answers to which differ has its mark in the gutter, and none in the text.
  ".cm-lintPoint-info:after": { display: "none" },
  ".cm-gutter-lint": { width: "1rem" },
  ".cm-lint-marker": { width: "0.6rem", height: "0.6rem", margin: "0.35rem 0.1rem" },
  ".cm-lint-marker-info": { content: "normal", background: "var(--shared-2)", borderRadius: "50%" },
  ".cm-lint-marker-error": { content: "normal", background: "var(--bad)", borderRadius: "1px" },
  ".cm-diagnostic": { whiteSpace: "pre-line", font: "0.8rem/1.45 var(--mono)", padding: "0.3rem 0.6rem" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-info": { borderLeft: "3px solid var(--shared)" },
});

/**
 * @param parent - gets the editor as its child
 * @param options - see {@link EditorOptions}
 */
export function createEditor(
  parent: HTMLElement,
  { label, text, offer, isProgram, changed, moved }: EditorOptions,
): Editor {
  let line = 1;
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        highlightActiveLineGutter(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        EditorState.tabSize.of(2),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(isProgram ? { override: [programCompletion(offer)] } : {}),
        isProgram ? programHints : [],
        highlightActiveLine(),
        javascript({ typescript: true }),
        syntaxHighlighting(COLOURS),
        LOOK,
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
        // Tab leaves the editor, as everywhere on a page.
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        EditorView.updateListener.of(({ docChanged, selectionSet, state }) => {
          if (docChanged) changed(state.doc.toString());
          const now = state.doc.lineAt(state.selection.main.head).number;
          if ((docChanged || selectionSet) && now !== line) moved(now);
          line = now;
        }),
      ],
    }),
  });
  // What scrolls has to be reached with the keyboard.
  view.scrollDOM.tabIndex = 0;
  view.scrollDOM.setAttribute("role", "group");
  view.scrollDOM.setAttribute("aria-label", `${label}, scrolled`);
  return {
    setText(next) {
      if (next === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    setMarks: (marks) => showMarks(view, marks),
    goTo(wanted) {
      const { from } = view.state.doc.line(Math.min(Math.max(1, wanted), view.state.doc.lines));
      view.dispatch({ selection: { anchor: from }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}

function showMarks(view: EditorView, marks: readonly EditorMark[]): void {
  const { doc } = view.state;
  const diagnostics = marks
    .filter(({ line }) => line <= doc.lines)
    .map(({ line, kind, message }) => {
      const { from, to, text } = doc.line(line);
      const severity = kind === "error" ? ("error" as const) : ("info" as const);
      const indent = text.length - text.trimStart().length;
      // Only what is wrong is underlined: that answers differ is for the gutter.
      return { from: from + indent, to: kind === "error" ? to : from + indent, severity, message };
    });
  view.dispatch(setDiagnostics(view.state, diagnostics));
}
